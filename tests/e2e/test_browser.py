"""What a person sees: the live page and Swagger UI, with nothing but this machine to reach."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect, sync_playwright

from tests.e2e.running import ROOT, RunningSystem

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed"),
]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
MODULES = {"NEONHUB_AGENT_MODULES": "tests.agents_for_tests", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A started system with an agent that takes a while."""
    with RunningSystem(tmp_path_factory.mktemp("browser"), env=MODULES) as system:
        body = {"id": "walker", "name": "Walker", "kind": "slow"}
        system.post("/api/agents", {**body, "config": {"seconds": 2, "steps": 20}})
        yield system


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A page that reaches this machine only; what else it asks for fails the test."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=shutil.which("chromium"), args=FLAGS.split()
        )
        page = context.new_page()
        strangers: list[str] = []

        def check(route: Route, request: Request) -> None:
            if urlsplit(request.url).hostname == "127.0.0.1":
                route.continue_()
            else:
                strangers.append(request.url)
                route.abort()

        page.route(lambda url: not url.startswith("data:"), check)
        yield page
        context.close()
        assert strangers == []


def test_a_run_is_seen_from_start_to_end(system: RunningSystem, page: Page) -> None:
    page.goto(system.url)
    expect(page.locator("#state")).to_have_text("live")
    page.locator("li", has_text="Walker").get_by_role("button", name="Run now").click()
    expect(page.locator("#running .run")).to_contain_text("walker: step")
    expect(page.locator("#events .completed")).to_be_visible(timeout=15_000)
    expect(page.locator("#events .started")).to_have_count(1)
    expect(page.locator("#running")).to_contain_text("Nothing runs")


def test_swagger_ui_works_without_the_internet(system: RunningSystem, page: Page) -> None:
    page.goto(system.url + "/docs")
    operations = page.locator(".opblock")
    expect(operations.first).to_be_visible()
    assert operations.count() == len(_operations(system))
    page.locator("#operations-scheduler-getSchedulerStatus").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response").first).to_contain_text("200")


def _operations(system: RunningSystem) -> list[str]:
    paths = system.get("/openapi.json").json()["paths"]
    return [method for path in paths.values() for method in path if method != "parameters"]
