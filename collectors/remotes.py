"""What the URL of a remote tells: the repository's name, and what of it may be shown."""

import re


def repository(url: str | None) -> str | None:
    """owner/name from a URL of a server; None for a path on this machine, and where variables stand in it.

    >>> repository("git@github.com:ann/shop.git"), repository("https://ann:pw@example.org/team/web/shop/")
    ('ann/shop', 'team/web/shop')
    >>> repository("/srv/git/shop.git"), repository("file:///srv/git/shop.git"), repository("git@github.com:$ORG/$REPO.git")
    (None, None, None)
    """
    if not url or "$" in url:
        return None
    if "://" in url:
        scheme, _, rest = url.partition("://")
        path = "" if scheme == "file" else rest.partition("/")[2]
    else:
        # A host comes before the colon; a folder's name may have one after a slash.
        host, _, path = url.partition(":")
        path = "" if "/" in host or len(host) < 2 else path
    return path.strip("/").removesuffix(".git") or None


def public(url: str) -> str:
    """A URL without the user and password that may be in it, which are nobody's business.

    >>> public("https://ann:secret@example.org/ann/shop.git"), public("git@github.com:ann/shop.git")
    ('https://example.org/ann/shop.git', 'git@github.com:ann/shop.git')
    """
    return re.sub(r"^([\w+.-]+://)[^/]*@", r"\1", url)
