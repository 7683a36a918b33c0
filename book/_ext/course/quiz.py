"""Questions in a page: one plain source, made into a form on the site and a fold in the notebook.

A question is a directive whose body is a text and a list. Each option begins with ``- [x]`` if it
is right and ``- [ ]`` if it is wrong; what follows a blank line, indented, is the feedback to it::

    ```{quiz} rnn-window
    :reread: sec-truncation

    What does `detach` leave as it is?

    - [x] The value of the state.

      Only the graph behind it is let go.
    - [ ] The gradient.

      It is what `detach` cuts.
    ```

``:multiple:`` makes a question with several right options; ``:reread:`` names the label of what
to read again; ``:fixed:`` keeps the options in their order, where one speaks of the others. Else
every reader has an order of their own.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
OPTION = re.compile(r"- \[([ x])\] ?(.*)")
FENCE = re.compile(r"(`{3,}|~{3,})(.*)")
MAX_BYTES = 1536  # of HTML, for one question
UNSEEN = ("C", "Z")  # Unicode's controls, formats and spaces, a space of no width among them


class QuizError(ValueError):
    """What is wrong with a question, and the line of its body, from 0."""

    def __init__(self, message: str, line: int = 0):
        super().__init__(message)
        self.line = line


@dataclass
class Option:
    """An answer to choose: whether it is right, its text and its feedback, with their lines."""

    right: bool
    line: int
    text: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    feedback_line: int = 0


def parse(body: list[str], multiple: bool) -> tuple[list[str], list[Option]]:
    """Take the body of a question apart into the lines of its text and its options.

    Raises `QuizError` for a question that nobody could answer, or not learn from.
    """
    question: list[str] = []
    options: list[Option] = []
    fence = ""  # of the code in the question that has begun
    for number, line in enumerate(body):
        mark, edge = OPTION.fullmatch(line), None if options else FENCE.fullmatch(line)
        if fence or edge:
            question.append(line)
            if not fence and edge:
                fence = edge[1]
            elif edge and edge[1].startswith(fence) and not edge[2].strip():
                fence = ""
        elif mark:
            options.append(Option(mark[1] == "x", number, [mark[2]] if mark[2].strip() else []))
        elif re.match(r"[-*+] ", line) and not options and question:
            raise QuizError(f"{line!r} is no option: begin it with '- [x] ' or '- [ ] '", number)
        elif not options:
            question.append(line)
        elif line.strip() and not line.startswith("  "):
            raise QuizError(f"{line!r} belongs to no option: indent it by two spaces", number)
        elif options[-1].feedback or not line.strip():
            options[-1].feedback_line = options[-1].feedback_line or number
            options[-1].feedback.append(line)
        else:
            options[-1].text.append(line)
    check(question, options, multiple)
    return question, options


def check(question: list[str], options: list[Option], multiple: bool) -> None:
    """Raise `QuizError` unless the question can be answered and every answer teaches something."""
    if not seen("".join(question)):
        raise QuizError("there is no question before the options: ask something")
    if len(options) < 2:
        raise QuizError(f"{len(options)} option(s): a question needs at least two")
    texts: set[str] = set()
    for option in options:
        text = " ".join(" ".join(option.text).split())
        if not seen(text):
            raise QuizError("an option has no text: write it behind the brackets", option.line)
        if text in texts:
            raise QuizError(f"the option {text!r} is there twice: change or drop one", option.line)
        if not seen("".join(option.feedback)):
            raise QuizError(
                f"the option {text!r} has no feedback: add it below, after a blank line and "
                "indented by two spaces",
                option.line,
            )
        texts.add(text)
    right = [option for option in options if option.right]
    if not right:
        raise QuizError("no option is right: mark one with [x]")
    if len(right) > 1 and not multiple:
        raise QuizError(
            f"{len(right)} options are right: mark only one with [x], or add :multiple:",
            right[1].line,
        )
    if len(right) == len(options):
        raise QuizError("all options are right: add one that is not")


def seen(text: str) -> bool:
    """Tell whether anything of a text can be seen."""
    return any(unicodedata.category(sign)[0] not in UNSEEN for sign in text)


class quiz(nodes.General, nodes.Element):  # type: ignore[misc]
    """A question with its options."""


class quiz_question(nodes.General, nodes.Element):  # type: ignore[misc]
    """What is asked."""


class quiz_option(nodes.General, nodes.Element):  # type: ignore[misc]
    """An option: the first child is its text, the second its feedback."""


class quiz_text(nodes.General, nodes.TextElement):  # type: ignore[misc]
    """What stands beside the button of an option."""


class quiz_feedback(nodes.General, nodes.Element):  # type: ignore[misc]
    """What is shown when the option is chosen."""


class quiz_reread(nodes.General, nodes.TextElement):  # type: ignore[misc]
    """Where to read again after a wrong answer."""


class quiz_score(nodes.General, nodes.Element):  # type: ignore[misc]
    """The score of the page, and of every chapter."""


class QuizDirective(SphinxDirective):
    """A question."""

    has_content = True
    required_arguments = 0
    optional_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "fixed": directives.flag,
        "multiple": directives.flag,
        "reread": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Make the nodes of the question; a mistake stops the build with its file and line."""
        name = self.arguments[0] if self.arguments else ""
        if not NAME.fullmatch(name):
            raise self.error(
                f"the quiz is called {name!r}: give it a name of small letters, digits and hyphens"
            )
        known: dict[str, str] = questions(self.env)
        if name in known:
            raise self.error(f"two quizzes are called {name!r}, one in {known[name]}: rename one")
        try:
            question, options = parse(list(self.content), "multiple" in self.options)
        except QuizError as error:
            self.lineno = self.content_offset + 1 + error.line
            raise self.error(f"quiz {name!r}: {error}") from None
        known[name] = self.env.docname
        flags = {flag: flag in self.options for flag in ("fixed", "multiple")}
        number = list(known.values()).count(self.env.docname)
        root = quiz(name=name, number=number, **flags)
        root["ids"] = [f"quiz-{name}"]
        self.set_source_info(root)
        root += self.nested(question, 0, quiz_question())
        for option in options:
            item = quiz_option(right=option.right)
            label = self.nested(option.text, option.line, nodes.container())
            item += quiz_text("", "", *label[0].children)
            indented = dedent("\n".join(option.feedback)).split("\n")
            item += self.nested(indented, option.feedback_line, quiz_feedback())
            root += item
        if "reread" in self.options:
            text = f"Read again: {{ref}}`{self.options['reread']}`."
            line = self.nested([text], 0, nodes.container())
            root += quiz_reread("", "", *line[0].children)
        return [root]

    def nested(self, lines: list[str], line: int, node: nodes.Element) -> nodes.Element:
        """Parse lines of the body into a node."""
        self.state.nested_parse(StringList(lines, ""), self.content_offset + line, node)
        return node


class ScoreDirective(SphinxDirective):
    """The score of the page, and the progress in every chapter."""

    def run(self) -> list[nodes.Node]:
        """Leave a place; what stands there is known when all pages are read."""
        scores(self.env).add(self.env.docname)
        return [quiz_score()]


def questions(env: BuildEnvironment) -> dict[str, str]:
    """Return the page of each question, by the question's name."""
    found: dict[str, str] = env.__dict__.setdefault("course_questions", {})
    return found


def scores(env: BuildEnvironment) -> set[str]:
    """Return the pages that show the score."""
    found: set[str] = env.__dict__.setdefault("course_scores", set())
    return found


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    """Drop the questions and the score of a page that is read again."""
    scores(env).discard(page)
    known = questions(env)
    for name in [name for name, where in known.items() if where == page]:
        del known[name]


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Read the pages with a score again when any other was: they count its questions."""
    return sorted(scores(env) - removed) if added | changed | removed else []


def merge(app: Sphinx, env: BuildEnvironment, pages: list[str], other: BuildEnvironment) -> None:
    """Take over the questions and the scores that another process has read."""
    questions(env).update({n: p for n, p in questions(other).items() if p in pages})
    scores(env).update(scores(other) & set(pages))


def visit_quiz(self: HTML5Translator, node: quiz) -> None:
    """Begin the form. Without a script its button clears it, too, and it is sent nowhere."""
    name = node["name"]
    fixed = " data-fixed" if node["fixed"] else ""
    self.body.append(
        f'<form class="quiz" id="quiz-{name}" data-quiz="{name}" method="dialog"{fixed}>'
        f'<fieldset aria-labelledby="quiz-{name}-q">'
    )
    node["begin"] = len(self.body) - 1
    for option in node.findall(quiz_option):
        option["name"] = name
        option["kind"] = "checkbox" if node["multiple"] else "radio"


def depart_quiz(self: HTML5Translator, node: quiz) -> None:
    """End the form."""
    self.body.append('</fieldset><p role="status"></p><button type="reset">Clear</button></form>')
    size = len("".join(self.body[node["begin"] :]).encode())
    if size > MAX_BYTES:
        LOGGER.warning(
            f"quiz {node['name']!r} takes {size:,} bytes: at most {MAX_BYTES:,} load "
            "quickly; a formula takes many, words few",
            location=node,
        )


def visit_question(self: HTML5Translator, node: quiz_question) -> None:
    """Begin what is asked, with the question's number on its page."""
    quiz = node.parent
    self.body.append(f'<div id="quiz-{quiz["name"]}-q"><b>Question {quiz["number"]}</b>')


def visit_option(self: HTML5Translator, node: quiz_option) -> None:
    """Begin an option."""
    self.body.append("<div data-right>" if node["right"] else "<div>")


def depart_div(self: HTML5Translator, node: nodes.Element) -> None:
    """End a box."""
    self.body.append("</div>")


def visit_text(self: HTML5Translator, node: quiz_text) -> None:
    """Begin the label of an option, with its button."""
    self.body.append(
        f'<label><input type="{node.parent["kind"]}" name="{node.parent["name"]}"> <span>'
    )


def depart_text(self: HTML5Translator, node: quiz_text) -> None:
    """End the label of an option."""
    self.body.append("</span></label>")


def visit_feedback(self: HTML5Translator, node: quiz_feedback) -> None:
    """Begin the feedback, with a word that says what its colour does."""
    verdict = "Right." if node.parent["right"] else "No."
    self.body.append(f"<div><strong>{verdict}</strong> ")


def visit_reread(self: HTML5Translator, node: quiz_reread) -> None:
    """Begin the line that is shown after a wrong answer."""
    self.body.append('<p class="quiz-reread">')


def depart_reread(self: HTML5Translator, node: quiz_reread) -> None:
    """End that line."""
    self.body.append("</p>")


def visit_score(self: HTML5Translator, node: quiz_score) -> None:
    """Write the places that the script fills: nothing is counted without it."""
    env = self.builder.env
    here: str = self.builder.current_docname
    self.body.append(
        '<div class="quiz-score"><p role="status">'
        "The score is counted by a script, in your browser alone.</p><ul>"
    )
    pages: dict[str, list[str]] = {}
    for name, page in questions(env).items():
        pages.setdefault(page, []).append(name)
    for page in [
        page for page in env.toctree_includes.get(env.config.root_doc, []) if page in pages
    ]:
        title = html.escape(env.titles[page].astext())
        href = "#" if page == here else self.builder.get_relative_uri(here, page)
        names = " ".join(pages[page])
        self.body.append(
            f'<li data-quizzes="{names}"><a href="{href}">{title}</a>: <span>'
            f"{len(pages[page])} questions</span></li>"
        )
    self.body.append("</ul></div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Teach the builder questions and scores."""
    app.add_js_file("quiz.js", loading_method="defer")
    app.add_css_file("quiz.css")
    app.add_directive("quiz", QuizDirective)
    app.add_directive("quiz-score", ScoreDirective)
    app.add_node(quiz, html=(visit_quiz, depart_quiz))
    app.add_node(quiz_question, html=(visit_question, depart_div))
    app.add_node(quiz_option, html=(visit_option, depart_div))
    app.add_node(quiz_text, html=(visit_text, depart_text))
    app.add_node(quiz_feedback, html=(visit_feedback, depart_div))
    app.add_node(quiz_reread, html=(visit_reread, depart_reread))
    app.add_node(quiz_score, html=(visit_score, None))
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
