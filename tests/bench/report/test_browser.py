"""The page in a real browser: Debian's Chromium, without a network."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_html import to_html

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PHONE, DESKTOP = 360, 1280
A4 = 703  # less margins of 12 mm, at 96 pixels an inch
READABLE, VISIBLE = 4.5, 3.0
"""Contrast that WCAG asks of text, and of what is drawn."""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no Chromium with its driver: apt-get install chromium chromium-driver",
)


@dataclass
class Browser:
    driver: Chrome

    def open(
        self, page: Path, width: int = DESKTOP, scheme: str = "light", medium: str = "screen"
    ) -> None:
        """Show `page`, and forget what happened before."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": medium, "features": features}
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == PHONE},
        )
        for log in ("browser", "performance"):
            self.log(log)
        self.driver.get(page.as_uri())

    def ask(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(f"return {script}", *arguments)

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What was logged since the last call."""
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def requests(self) -> list[str]:
        """What the page asked for since it was opened."""
        events = [json.loads(one["message"])["message"] for one in self.log("performance")]
        return [
            one["params"]["request"]["url"]
            for one in events
            if one["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # the page has to do without a network
        *(["--no-sandbox"] if os.geteuid() == 0 else []),  # which root cannot have
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(executable_path=DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def odd_page(
    make_report_data: Callable[..., ReportData], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The page of files whose names are long and hold markup."""
    names = ("<b>&\"'`$x_1$ " + 12 * "long-" + ".onnx", 200 * "w" + ".onnx", "\\frac{1}{2}.onnx")
    path = tmp_path_factory.mktemp("odd") / "report.html"
    data = make_report_data(sizes=((224, 224),), threads=(1, 2), foreign=names)
    path.write_text(to_html(data), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("which", ["page", "odd_page"])
def test_nothing_is_wider_than_the_window(
    browser: Browser, request: pytest.FixtureRequest, which: str, width: int
) -> None:
    browser.open(request.getfixturevalue(which), width)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    beyond = browser.ask(
        "[...document.querySelectorAll('body *')]"
        ".filter(one => !one.closest('.scroll') && !one.closest('svg') && !one.closest('.hidden'))"
        ".filter(one => one.getBoundingClientRect().right > innerWidth + 1)"
        ".map(one => one.outerHTML.slice(0, 80))"
    )
    assert beyond == []


def test_nothing_is_lost_on_paper(browser: Browser, page: Path) -> None:
    browser.open(page, A4, medium="print")
    assert browser.ask("document.documentElement.scrollWidth") <= A4


def test_nothing_is_fetched_and_nothing_goes_wrong(browser: Browser, page: Path) -> None:
    browser.open(page)
    urls = browser.requests()
    assert page.as_uri() in urls
    assert [url for url in urls if not url.startswith(("file:", "data:"))] == []
    assert browser.log("browser") == []


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_verdicts_are_what_is_seen_first(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    assert browser.ask("document.querySelector('main > section').id") == "verdicts"
    words = browser.ask(
        "[...document.querySelectorAll('.badge')]"
        ".filter(one => one.getBoundingClientRect().bottom < innerHeight)"
        ".map(one => one.innerText.replace(/[^a-z]/g, ''))"
    )
    assert {"supported", "exceeded", "contradicted", "inconclusive"} <= set(words)


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_every_figure_is_drawn(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    sizes = browser.ask(
        "[...document.querySelectorAll('figure svg')].map(one => {"
        " const box = one.getBoundingClientRect(); return [box.width, box.height] })"
    )
    assert len(sizes) >= 20
    assert all(300 <= across <= 440 and down > 80 for across, down in sizes)


@pytest.mark.parametrize("which", ["page", "odd_page"])
def test_no_text_of_a_figure_lies_on_another_or_outside(
    browser: Browser, request: pytest.FixtureRequest, which: str
) -> None:
    browser.open(request.getfixturevalue(which), PHONE)
    assert browser.ask(OVERLAPS) == []


OVERLAPS = """[...document.querySelectorAll('figure svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(one => [one, one.getBoundingClientRect()]);
  const outside = texts.filter(([_, a]) => a.left < frame.left - 1 || a.right > frame.right + 1);
  const onAnother = texts.filter(([_, a], i) => texts.slice(i + 1).some(([_, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3));
  return [...outside, ...onAnother].map(([one]) => svg.querySelector('title').textContent
    + ': ' + one.textContent);
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_figures_stand_out_from_the_ground(
    browser: Browser, page: Path, scheme: str
) -> None:
    browser.open(page, scheme=scheme)
    ground = rgb(browser.ask("getComputedStyle(document.body).backgroundColor"))
    assert (luminance(ground) < 0.1) == (scheme == "dark")
    for selector in (
        "body",
        "a",
        ".muted",
        ".badge",
        "figcaption",
        "thead th",
        ".prominent strong",
    ):
        for colour in colours(browser, selector, "color"):
            assert contrast(colour, ground) >= READABLE, selector
    for colour in colours(browser, "figure svg text", "fill"):
        assert contrast(colour, ground) >= READABLE
    for colour in colours(browser, ".legend .key", "color"):
        assert contrast(colour, ground) >= VISIBLE


def test_figures_follow_the_colour_scheme(browser: Browser, page: Path) -> None:
    inks = {}
    for scheme in ("light", "dark"):
        browser.open(page, scheme=scheme)
        (ink,) = colours(browser, "figure svg text:not([style*='--muted'])", "fill")
        assert ink == rgb(browser.ask("getComputedStyle(document.body).color"))
        inks[scheme] = ink
    assert inks["light"] != inks["dark"]


Colour = tuple[float, float, float]


def colours(browser: Browser, selector: str, property_: str) -> set[Colour]:
    """The computed colours of all that `selector` finds, which must be something."""
    found = browser.ask(
        "[...document.querySelectorAll(arguments[0])]"
        ".map(one => getComputedStyle(one)[arguments[1]])",
        selector,
        property_,
    )
    assert found, selector
    return {rgb(one) for one in found}


def rgb(colour: str) -> Colour:
    """``rgb(1, 2, 3)`` as shares of 1."""
    assert colour.startswith("rgb("), colour
    red, green, blue = (int(part) / 255 for part in colour[4:-1].split(","))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """As WCAG 2 defines it."""
    parts = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: Colour, other: Colour) -> float:
    """As WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
