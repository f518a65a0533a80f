"""What looks like a secret, wherever it turns up: in a source's answer, a commit's message, an address, an error.

Sources repeat what people gave them: a token in a commit's message, a password in a remote's address, a build's parameter, a
header that an error quotes. None of it is kept or shown. It is known by the forms in which tokens are given out, and by the
names of fields; a password in the middle of a sentence is not known by anything.
"""

import re

HIDDEN = "***"
LONG = 8  # letters of a secret that no other word has in it by chance
_known: set[str] = set()  # secrets that this process has looked up
# Looked for first, by a letter that each needs: a text without any of these, as nearly all are, is not searched again.
MARKS = {
    "_": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "whsec_", "npm_", "sk_live_"),
    "-": ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-", "glimt-", "gloas-", "xox", "pypi-"),
    "=": ("oken=", "OKEN=", "ecret=", "ECRET=", "assw", "ASSW", "key=", "KEY=", "Key="),
    "A": ("ATATT3", "AKIA", "ASIA", "AIza", "PRIVATE KEY", "Authorization"),
    " ": ("earer ", "asic ", "uthorization"),
    "@": ("://",),
    ".": ("eyJ",),
}
FORMS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{22,}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas)-[\w-]{16,}"
    r"|ATATT3[\w=-]{20,}|xox[abeoprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35}"
    r"|(?<![\w-])(?=[\w-]*eyJ)[\w-]{11,}+\.eyJ[\w-]{8,}+\.[\w-]*"
    r"|whsec_[A-Za-z0-9+/=]{16,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{16,}|sk_live_\w{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.S,
)
# What stands before the secret stays, so that one still sees what it was. Nothing is begun in the middle of a word: a text of one
# long word would be gone through from each of its letters.
BEFORE = re.compile(
    r"""(?P<before>(?<![\w+.-])[\w+.-]{2,}+://[^/\s:@"']*+:)[^/\s@"']++(?=@)"""
    r"""|(?P<basic>\b(?:[Bb]earer|[Bb]asic)\s+)(?=[^\s"']*[0-9=])[\w~+/.=-]{16,}"""
    r"""|(?P<header>\b(?:[Pp]roxy-)?[Aa]uthorization["']?\s*[:=]\s*["']?(?:\w+\s+)?)[^\s"',;]{6,}"""
    r"""|(?P<field>(?<![\w-])[\w-]*(?i:token|secret|password|passwd|api[_-]?key|access[_-]?key|private[_-]?key)=)[^\s&"',;*]{4,}"""
)
# Fields of answers whose text is a secret, whatever it looks like; letters and digits alone, in any case.
FIELDS = frozenset({
    "token", "accesstoken", "refreshtoken", "authtoken", "idtoken", "apitoken", "privatetoken", "jobtoken", "xgitlabtoken",
    "password", "passwd", "secret", "clientsecret", "webhooksecret", "secretkey", "privatekey", "accesskey", "apikey",
    "authorization", "proxyauthorization", "cookie", "setcookie", "credentials",
})  # fmt: skip


def concealed(text: str) -> str:
    """The text without what looks like a secret in it.

    >>> concealed("clone https://ann:hunter2@example.org/shop.git?x=1 by ghp_0123456789abcdefghij")
    'clone https://ann:***@example.org/shop.git?x=1 by ***'
    >>> concealed("Authorization: Bearer abcdef0123456789xyz failed"), concealed("GET /x?access_token=abcd1234&page=2")
    ('Authorization: Bearer *** failed', 'GET /x?access_token=***&page=2')
    >>> concealed("Fix the token: it expired (#12), thanks to ann@example.org; see git@example.org:team/shop")
    'Fix the token: it expired (#12), thanks to ann@example.org; see git@example.org:team/shop'
    """
    for letter, marks in MARKS.items():  # plain loops: a harvest asks this of millions of texts
        if letter in text:
            for mark in marks:
                if mark in text:
                    return BEFORE.sub(lambda found: found[found.lastgroup or 0] + HIDDEN, FORMS.sub(HIDDEN, text))
    return text


def remember(secret: str) -> str:
    """A secret that was looked up: from now on it is hidden in whatever form it has."""
    if secret:
        _known.add(secret)
    return secret


def hidden(text: str) -> str:
    """The text without any secret that was ever looked up, nor anything that looks like one.

    A secret of a few letters is hidden as a word of its own only: within others it is there by chance.
    """
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN) if len(secret) >= LONG else _as_a_word(secret).sub(HIDDEN, text)
    return concealed(text)


def _as_a_word(secret: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(secret)}(?!\w)")


def is_secret(field: str) -> bool:
    """Whether a field of this name holds a secret.

    >>> is_secret("private_token"), is_secret("X-Gitlab-Token"), is_secret("key"), is_secret("nextPageToken")
    (True, True, False, False)
    """
    return "".join(letter for letter in field.casefold() if letter.isalnum()) in FIELDS
