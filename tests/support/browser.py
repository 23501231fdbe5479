"""A page as a parser and as a browser see it."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

from waiting import LIMIT

VOID = {"meta", "link", "br", "input", "hr", "img"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page(HTMLParser):
    """Reads a page, and notes tags that do not close, the texts, the ids, and every attribute."""

    def __init__(self, source: str):
        super().__init__()
        self.open, self.wrong, self.texts, self.ids, self.attributes, self.tags = [], [], [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))

    def handle_data(self, data):
        self.texts.append(data)


def browse(page: str, folder, script: str = "") -> tuple[str, str]:
    """The page after a browser ran it, and the browser's console. A script runs only in a copy without the policy."""
    if script:
        page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        page = page.replace("</body>", f"<script>{script}</script></body>")
    (folder / "page.html").write_text(page, encoding="utf-8")
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=2000"
    )
    command = [
        str(CHROMIUM),
        *flags.split(),
        f"--user-data-dir={folder / 'profile'}",
        "--dump-dom",
        f"file://{folder / 'page.html'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
