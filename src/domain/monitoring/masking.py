"""Error texts without the parts that differ from case to case or that nobody else should read.

Source: compat/outgoing.md, "report_block_error_rates"; the order of the steps is the original's, so that equal
errors are counted as equal and alerts read the same. Every step is linear in the text, whatever it holds.
"""

import re

_LONGEST_SAMPLE = 100
_CUT = "..."

_DIGITS = re.compile(r"\d+")
_NAME = re.compile(r"\b(?:[A-Z]{3,}\b|\w*_\w*)")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_HASH = re.compile(r"\b[0-9a-f]{20,}\b")
_PATH = re.compile(r"(?:/[^/\s]+)+")
_URL = re.compile(r"https?://\S+")

_MAILBOX = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
_MAILBOX_START = re.compile(rf"\b[{re.escape(_MAILBOX)}]")
_MAIL_DOMAIN = re.compile(r"[A-Za-z0-9.-]+\.[A-Za-z|]{2,}\b")  # the bar is the original's


def mask(text: str) -> str:
    """Return `text` fit for an alert: masked, and cut to 100 characters.

    Digits go first, so that what is left of most UUIDs and hashes no longer looks like one: the original's way.
    Paths go before URLs, whose own path is masked by then and goes with them.
    """
    for pattern, replacement in (
        (_DIGITS, "X"),
        (_NAME, "MASKED"),
        (_UUID, "UUID"),
        (_HASH, "HASH"),
        (_PATH, "/MASKED/path"),
        (_URL, "URL"),
    ):
        text = pattern.sub(replacement, text)
    text = _mask_addresses(text)
    if len(text) > _LONGEST_SAMPLE:
        text = text[: _LONGEST_SAMPLE - len(_CUT)] + _CUT
    return text.strip()


def _mask_addresses(text: str) -> str:
    """Replace e-mail addresses.

    One expression for a whole address would look at each `a.a.a.a` again from every dot, in quadratic time. So
    each `@` is found first, and its mailbox read backwards from it.
    """
    masked: list[str] = []
    done = 0  # up to where `text` is in `masked`
    unread = 0  # where the mailbox of the next `@` may start
    while (at := text.find("@", unread)) >= 0:
        before = text[unread:at]
        mailbox = _MAILBOX_START.search(text, unread + len(before.rstrip(_MAILBOX)), at)
        domain = _MAIL_DOMAIN.match(text, at + 1)
        unread = at + 1
        if mailbox and domain:
            masked += text[done : mailbox.start()], "EMAIL"
            done = unread = domain.end()
    return "".join(masked) + text[done:]
