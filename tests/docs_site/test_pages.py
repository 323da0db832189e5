"""Pages in headless Chromium: titles, diagrams and plots are there, and nothing is remote."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

# The diagrams are in closed shadow trees; tests look into open ones.
OPEN_SHADOW_TREES = """
const attach = Element.prototype.attachShadow
Element.prototype.attachShadow = function (options) {
  return attach.call(this, { ...options, mode: "open" })
}
"""
DIAGRAMS = """() => [...document.querySelectorAll(".mermaid")]
  .map((element) => element.shadowRoot?.querySelector("svg"))
  .map((svg) => svg?.getBoundingClientRect().height ?? 0)"""
PLOTS = """() => [...document.querySelectorAll("article img")]
  .map((image) => image.naturalWidth)"""


class Visit:
    """A page, and what loading it did."""

    def __init__(self, browser: Any, address: str, folder: Path) -> None:
        self.page = browser.new_page(viewport={"width": 1600, "height": 1200})
        self.page.add_init_script(OPEN_SHADOW_TREES)
        self.hosts: set[str | None] = set()
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._said)
        self._address = address
        self._folder = folder

    def _said(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def open(self, path: str, screenshot: str) -> None:
        """Load a page, wait for its diagrams, and keep a picture of it."""
        self.page.goto(f"{self._address}/{path}", wait_until="networkidle")
        self.page.wait_for_function("() => !document.querySelector('pre.mermaid')")
        if self.page.locator(".mermaid").count():
            self.page.wait_for_function(f"() => ({DIAGRAMS})().every((height) => height > 0)")
        self.page.screenshot(path=self._folder / screenshot)

    def heading(self) -> str:
        """Return the title on the page."""
        text: str = self.page.locator("article h1").inner_text()
        return text.removesuffix("¶").strip()


@pytest.fixture
def visit(browser: Any, address: str, site: Path) -> Visit:
    folder = site.parent / "site-screenshots"
    folder.mkdir(exist_ok=True)
    return Visit(browser, address, folder)


@pytest.mark.parametrize(
    ("path", "title", "diagrams"),
    [
        ("", "Ferrogen", 1),
        ("concepts/messages/", "Messages", 1),
        ("concepts/runtime/", "The life cycle of a runtime", 1),
    ],
)
def test_a_page_shows_its_title_and_its_diagrams(
    visit: Visit, path: str, title: str, diagrams: int
) -> None:
    visit.open(path, f"{title.lower().replace(' ', '-')}.png")
    assert visit.heading() == title
    heights = visit.page.evaluate(DIAGRAMS)
    assert len(heights) == diagrams
    assert all(height > 100 for height in heights)
    assert (visit.complaints, visit.hosts) == ([], {"127.0.0.1"})


def test_every_diagram_is_rendered(visit: Visit, site: Path) -> None:
    pages = [page.parent for page in site.rglob("index.html") if '"mermaid"' in page.read_text()]
    assert len(pages) > 3
    for page in pages:
        visit.open(page.relative_to(site).as_posix(), "diagram.png")
        assert (visit.complaints, visit.hosts) == ([], {"127.0.0.1"}), page


def test_the_page_on_performance_shows_plots(visit: Visit) -> None:
    visit.open("performance/", "performance.png")
    assert visit.heading() == "Performance"
    widths = visit.page.evaluate(PLOTS)
    assert len(widths) == 6
    assert all(width > 400 for width in widths)
    assert (visit.complaints, visit.hosts) == ([], {"127.0.0.1"})


def test_the_reference_shows_members_of_a_class(visit: Visit) -> None:
    visit.open("api/ferrogen/", "api.png")
    assert visit.heading() == "ferrogen"
    for member in ("SingleThreadedAgentRuntime.send_message", "AgentId.key", "agent_options"):
        assert visit.page.locator(f"[id='ferrogen.{member}']").count() == 1
    assert (visit.complaints, visit.hosts) == ([], {"127.0.0.1"})


def test_searching_finds_a_page(visit: Visit) -> None:
    visit.open("", "ferrogen.png")
    visit.page.locator("input.md-search__input").press_sequentially("passivating")
    result = visit.page.locator(".md-search-result__link").first
    result.wait_for()
    assert "Agents in production" in result.inner_text()
