"""Which tools run system commands or any code they are given, by all that is said of them.

What a tool is called and says of itself is its author's word; the sandbox is the operating system's work. In
doubt a tool is refused, since its operator can allow it with one line.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import pairwise

from proctor.core import JsonObject, JsonValue, ToolSpec
from proctor.tools._hidden import without_hidden
from proctor.tools._words import words_of


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_KNOWN = _set(
    """
    browser_evaluate browser_run_code browser_run_code_unsafe computer computer_use container_exec docker_exec
    evaluate_script exec_in_pod execute_blender_code execute_notebook_cell install_npm_packages
    install_packages install_python_packages interact_with_process kubectl kubectl_generic osascript
    page_evaluate playwright_evaluate pods_exec puppeteer_evaluate run_applescript run_in_terminal
    run_terminal_cmd sandbox_exec send_control_character send_keys ssh_exec ssh_execute start_process
    tmux_send_keys write_to_terminal
    """
)
"""Tools of well-known servers for shells, terminals, containers, notebooks and browsers."""

_THEMSELVES = _set(
    """
    bash cmd code_interpreter code_runner command_line commandline console eval exec ipython jupyter osascript
    powershell pwsh python python3 python_interpreter python_repl repl sh shell ssh subprocess terminal zsh
    """
)
"""Words that say it all where a name is one of them, or ends with one."""

_RUN = _set("do eval evaluate exec execute interpret invoke issue launch perform run spawn start")
_RUNNABLE = _set(
    """
    applescript bash binary cell cli cmd cmdline code command commandline commands executable javascript js
    jxa lua node perl php powershell process processes program python ruby script scripts sh shell snippet
    subprocess terminal typescript
    """
)
_BETWEEN = _set(
    "a an any arbitrary background custom local notebook os raw remote safe ssh sudo system the unsafe"
)
"""Words that may stand between the verb and what is run."""
_AFTER = _set(
    """
    and as at async background batch block by ephemeral file files for from in inside line lines on remote
    remotely safe safely snippet string sync to tool using via with
    """
)
"""Words with which a name goes on, other than a compound such as `run_code_review`."""

_COMMAND_ARGUMENTS = _set(
    """
    argv bash bash_command cli_command cmd cmdline command command_line commandline command_string commands
    exec_command powershell powershell_command shell shell_command shell_script sh_command ssh_command
    terminal_command
    """
)
"""Names of arguments that say enough, where the argument is a text that may be anything."""
_CODE_ARGUMENTS = _set(
    """
    applescript code code_block code_snippet code_string executable function javascript javascript_code js
    js_code js_script node_code program python python_code script script_content source_code
    """
)
"""Names of arguments that say enough together with words about running it."""

_OUTPUTS = frozenset({"stdout", "stderr"})
"""Parts of an answer that say enough."""

_VERB = (
    r"\b(?:run|runs|running|(?:execut|evaluat|invok)(?:e|es|ing)"
    r"|(?:interpret|launch|spawn|start|eval)(?:s|es|ing)?)"
)
_NO_SYSTEM = r"(?:not|no|never|sql|cypher|redis|mongodb|git|slash|voice|device|robot|workflow|test|tests)\b"
"""Words before `command` or `script` that make it none of the system's."""
_SHELLS = (
    r"(?:shell|bash|zsh|powershell|terminal|console|system|os|unix|linux|command[- ]line|cli|cmd|remote|ssh)"
)
_LANGUAGES = (
    r"(?:python|javascript|js|typescript|node(?:\.?js)?|ruby|perl|php|lua|java|source|program|user|applescript"
    r"|jxa|arbitrary|untrusted|any)"
)
_HOSTS = (
    r"(?:shells?|terminals?|containers?|hosts?|machines?|servers?|pods?|systems?|sessions?|sandbox(?:es)?)"
)
_CODE = r"(?:code|scripts?|commands?|programs?|snippets?)\b"
_SAYS = re.compile(
    rf"{_VERB} (?:(?!{_NO_SYSTEM})[\w,'-]{{1,20}} ){{0,4}}?"
    rf"(?:{_SHELLS} (?:commands?|scripts?)\b|{_LANGUAGES}(?:[- ](?:supplied|provided))? {_CODE}"
    rf"|commands? (?:in|on|inside|via|over|through) (?:\w{{1,20}} ){{0,3}}{_HOSTS}\b|commands? ?lines?\b"
    r"|code (?:snippets?|blocks?|cells?|in|inside|on|and return)\b|subprocess(?:es)?\b|executables?\b)"
    r"|(?:执行|运行)[^。,!?\n不]{0,15}(?:命令|脚本|代码|程序)"
)
"""What a description says of a tool that runs commands or code."""
_SAYS_CODE = re.compile(
    rf"{_VERB}\b[^.!?\n]{{0,60}}\b(?:code|scripts?|commands?|python|javascript|js|functions?)\b"
    r"|\b(?:sandbox|interpreter|repl|shell|terminal)\b|(?:执行|运行)[^。!?\n]{0,12}(?:命令|脚本|代码|程序)"
)
"""What it says of one that may, if it takes code as well."""
_NEGATED = re.compile(
    r"\b(?:not|never|cannot|can't|doesn't|don't|won't|without|instead of|rather than|nor)\b[^.!?\n]{0,80}"
    r"|(?:不会|不能|无法|不)[^。!?\n]{0,30}"
)
_READ = 20_000
"""Characters of a description that are looked at. No real tool says more."""
_PARTS = 20_000
"""Parts of a schema that are looked at. Real ones have some thousands at most."""


def runs_commands(tool: ToolSpec) -> str:
    """Why a tool is taken to run system commands or code, as half a sentence; empty where it isn't."""
    for title in (tool.name, str(tool.hints.get("title", ""))):
        if reason := _by_name(words_of(title)):
            return f"{reason} ({title})"
    if len(tool.description) > _READ or any(map(_is_vast, (tool.parameters, tool.returns))):
        return "it says more of itself than can be looked through"
    says = _NEGATED.sub(" ", _plain(tool.description))
    if match := _SAYS.search(says):
        return f"its description says that it may {match[0].strip()!r}"
    if _OUTPUTS.issubset(map(_word, _free_texts(tool.returns or {}))):
        return "it returns what a program writes (stdout and stderr)"
    return _by_arguments(tool, says)


def _by_arguments(tool: ToolSpec, says: str) -> str:
    names = {_word(name): name for name in _free_texts(tool.parameters)}
    for word, name in names.items():
        if word in _COMMAND_ARGUMENTS:
            return f"it takes a command ({name})"
    if _SAYS_CODE.search(says) or _RUN.intersection(words_of(tool.name)):
        for word, name in names.items():
            if word in _CODE_ARGUMENTS:
                return f"it takes code to run ({name})"
    return ""


def _by_name(parts: list[str]) -> str:
    name = "_".join(parts)
    if name in _KNOWN:
        return "it is known to run commands or code"
    ends = {"_".join(parts[-length:]) for length in (1, 2)}
    if not _THEMSELVES.isdisjoint({*ends, *map("_".join, pairwise(parts))}):
        return "its name says that it runs commands or code"
    if parts and parts[0] in _THEMSELVES and _AFTER.union(_RUN, {"command"}).intersection(parts[1:2]):
        return "its name says that it runs commands or code"
    for place, part in enumerate(parts):
        if part in _RUN and _is_runnable(parts[place + 1 :]):
            return "its name says that it runs commands or code"
    return ""


def _is_runnable(rest: list[str]) -> bool:
    """Whether what follows a verb is something that runs, and not a compound such as `code_review`."""
    for place, part in enumerate(rest):
        following = rest[place + 1] if place + 1 < len(rest) else "in"
        if part in _RUNNABLE and (following in _AFTER or following in _RUNNABLE):
            return True
        if part not in _BETWEEN:
            return False
    return False


def _word(name: str) -> str:
    return "_".join(words_of(name))


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", without_hidden(text)[0]).casefold()
    return re.sub(r"[ \t]+", " ", re.sub(r"[`*\"“”_]", "", text))


def _is_vast(schema: JsonValue) -> bool:
    left = [schema]
    for _ in range(_PARTS):
        if not left:
            return False
        value = left.pop()
        if isinstance(value, Mapping):
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
    return True


def _free_texts(schema: JsonObject) -> Iterator[str]:
    """The names of all arguments, at any depth, that may be any text, or a list of such."""
    left: list[JsonValue] = [schema]
    while left:
        value = left.pop()
        if isinstance(value, list | tuple):
            left += value
        elif isinstance(value, Mapping):
            properties = value.get("properties")
            if isinstance(properties, Mapping):
                yield from (str(name) for name, one in properties.items() if _is_free(one))
            left += value.values()


def _is_free(schema: JsonValue) -> bool:
    """Whether a schema takes any text: it has no list of values, and no form that would be one."""
    if not isinstance(schema, Mapping) or not {"enum", "const", "pattern", "format"}.isdisjoint(schema):
        return not isinstance(schema, Mapping) and schema is not False
    options = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]
    if options:
        return any(map(_is_free, options))
    kinds = _list(schema.get("type")) or [schema.get("type")]
    if "array" in kinds:
        return _is_free(schema.get("items", True))
    return "string" in kinds or kinds == [None]


def _list(value: JsonValue) -> list[JsonValue]:
    return list(value) if isinstance(value, list | tuple) else []
