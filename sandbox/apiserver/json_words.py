"""What Go's JSON decoder says of a text that is no JSON: people and programs read it in refusals.

Called by `bodies.py` once a faster parser has refused a text, so this only has to find the first fault.
"""

import re

MAX_DEPTH = 200
"""How deep values may nest. Go allows 10,000; nothing that Kubernetes serves comes near either."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile(rb'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*')
_LITERALS = {word[0]: word for word in (b"true", b"false", b"null")}
_VALUE = "looking for beginning of value"


class _Fault(Exception):
    """The first fault; its text is the complaint."""


def complaint(text: bytes) -> str:
    """Why `text` is no JSON; "" where Go would have accepted it."""
    try:
        end = _after_space(text, _value(text, 0, 0))
        if end < len(text):
            raise _unexpected(text, end, "after top-level value")
    except _Fault as fault:
        return str(fault)
    return ""


def _value(text: bytes, position: int, depth: int) -> int:
    """The position after the value that begins at `position`."""
    if depth > MAX_DEPTH:
        raise _Fault("exceeded max depth")
    position = _after_space(text, position)
    first = text[position : position + 1]
    if first == b"{":
        return _members(text, position + 1, depth, closing=b"}")
    if first == b"[":
        return _members(text, position + 1, depth, closing=b"]")
    if first == b'"':
        return _string(text, position)
    if first and first[0] in _LITERALS:
        return _literal(text, position, _LITERALS[first[0]])
    if number := _NUMBER.match(text, position):
        return number.end()
    if first == b"-":
        raise _unexpected(text, position + 1, "in numeric literal")
    raise _unexpected(text, position, _VALUE)


def _members(text: bytes, position: int, depth: int, *, closing: bytes) -> int:
    position = _after_space(text, position)
    if text[position : position + 1] == closing:
        return position + 1
    while True:
        if closing == b"}":
            position = _key(text, position)
        position = _after_space(text, _value(text, position, depth + 1))
        separator = text[position : position + 1]
        if separator == closing:
            return position + 1
        if separator != b",":
            after = "after object key:value pair" if closing == b"}" else "after array element"
            raise _unexpected(text, position, after)
        position += 1


def _key(text: bytes, position: int) -> int:
    """The position after a key and its colon."""
    position = _after_space(text, position)
    if text[position : position + 1] != b'"':
        raise _unexpected(text, position, "looking for beginning of object key string")
    position = _after_space(text, _string(text, position))
    if text[position : position + 1] != b":":
        raise _unexpected(text, position, "after object key")
    return position + 1


def _string(text: bytes, position: int) -> int:
    plain = _PLAIN.match(text, position + 1)
    end = plain.end() if plain else position + 1
    if text[end : end + 1] == b'"':
        return end + 1
    if text[end : end + 1] != b"\\":
        raise _unexpected(text, end, "in string literal")
    if text[end + 1 : end + 2] != b"u":
        raise _unexpected(text, end + 1, "in string escape code")
    digits = re.match(rb"[0-9a-fA-F]*", text[end + 2 :])
    raise _unexpected(text, end + 2 + (digits.end() if digits else 0), r"in \u hexadecimal character escape")


def _literal(text: bytes, position: int, word: bytes) -> int:
    for offset, expected in enumerate(word):
        if text[position + offset : position + offset + 1] != bytes([expected]):
            where = f"in literal {word.decode()} (expecting {chr(expected)!r})"
            raise _unexpected(text, position + offset, where)
    return position + len(word)


def _after_space(text: bytes, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _unexpected(text: bytes, position: int, where: str) -> _Fault:
    if position >= len(text):
        return _Fault("unexpected end of JSON input")
    character = text[position : position + 4].decode(errors="replace")[0]
    shown = {"'": r"'\''", '"': "'\"'"}.get(character) or f"'{_escaped(character)}'"
    return _Fault(f"invalid character {shown} {where}")


def _escaped(character: str) -> str:
    named = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\"}
    if character in named or character.isprintable():
        return named.get(character, character)
    return f"\\x{ord(character):02x}" if character.isascii() else f"\\u{ord(character):04x}"
