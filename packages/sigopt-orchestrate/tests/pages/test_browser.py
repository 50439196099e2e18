"""The dashboard in a real browser: every view, by mouse and by keyboard, wide and narrow."""

from collections.abc import Callable
from typing import Any

VIEWS = {
    "overview": ".js-plotly-plot .main-svg",
    "parallel": "svg.coordinates path.best",
    "parameters": ".slice .js-plotly-plot .main-svg",
    "trials": "tr[data-number]",
    "workers": ".empty h2",
}


def test_every_view_of_a_local_experiment_is_drawn(watch: Callable[..., Any]) -> None:
    seen = watch()
    seen.open()
    seen.page.get_by_role("link", name="digits <b>").click()
    for view, selector in VIEWS.items():
        seen.page.locator(f'.tabs a[href*="/{view}"]').click()
        seen.page.wait_for_selector(selector)
        assert f"/local/1/{view}" in seen.page.url
        assert seen.page.locator(".tabs [aria-current]").count() == 1
    assert "digits <b>" in seen.page.inner_text("h1"), "what is text stays text"


def test_every_view_of_an_experiment_of_the_api_is_drawn(watch: Callable[..., Any]) -> None:
    seen = watch()
    seen.open("/api/1/overview")
    for view, selector in VIEWS.items():
        seen.see(f"/api/1/{view}", selector if view != "workers" else ".worker")
    seen.see("/api/1/trials?trial=4", ".drawer h2")
    assert "failed" in seen.page.inner_text(".drawer h2")


def test_filters_sorting_and_the_trial_live_in_the_address(watch: Callable[..., Any]) -> None:
    seen = watch()
    seen.open("/local/1/trials?state=completed&p.depth=3..5&sort=m.accuracy&descending=1&trial=7")
    seen.page.wait_for_selector(".drawer:not([hidden]) h2")
    rows = seen.page.locator("tbody tr[data-number]").all_inner_texts()
    values = [float(row.split("\t")[2]) for row in rows]
    depths = [int(row.split("\t")[5]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert set(depths) <= {3, 4, 5}
    seen.page.get_by_role("button", name="Take away the filter 3 ≤ depth ≤ 5").click()
    seen.page.wait_for_url(lambda url: "p.depth" not in url)
    assert "state=completed" in seen.page.url
    assert "trial=7" in seen.page.url
    seen.page.get_by_text("Filter", exact=True).click()
    seen.page.get_by_label("What to filter by").select_option("p.kind")
    seen.page.get_by_label("gated").check()
    seen.page.get_by_role("button", name="Apply").click()
    seen.page.wait_for_url(lambda url: "p.kind=gated" in url)
    seen.page.go_back()
    seen.page.wait_for_url(lambda url: "p.kind" not in url)


def test_a_drag_along_an_axis_filters_by_its_range(watch: Callable[..., Any]) -> None:
    seen = watch()
    seen.open("/local/1/parallel")
    seen.page.wait_for_selector("svg.coordinates")
    box = seen.page.locator("svg.coordinates .handle").first.bounding_box()
    middle = box["x"] + box["width"] / 2
    seen.page.mouse.move(middle, box["y"] + box["height"] * 0.75)
    seen.page.mouse.down()
    seen.page.mouse.move(middle, box["y"] + box["height"] * 0.25, steps=4)
    seen.page.mouse.up()
    seen.page.wait_for_url(lambda url: "p.rate=" in url)
    seen.page.wait_for_selector(".chip")


def test_the_keyboard_is_enough(watch: Callable[..., Any]) -> None:
    seen = watch()
    seen.open("/local/1/trials")
    seen.page.reload()  # so that the focus is where a page begins
    seen.page.wait_for_selector("tr[data-number]")
    press = seen.page.keyboard.press
    press("Tab")
    focused = "document.activeElement"
    assert seen.page.evaluate(f"{focused}.className") == "skip"
    press("Enter")
    assert seen.page.evaluate(f"{focused}.id") == "content"
    press("/")
    assert seen.page.evaluate(f"{focused}.tagName") == "SUMMARY"
    seen.page.locator("tbody tr").first.focus()
    press("ArrowDown")
    press("ArrowDown")
    number = seen.page.evaluate(f"{focused}.dataset.number")
    press("Enter")
    seen.page.wait_for_selector(f'.drawer[aria-label="Trial {number}"]:not([hidden]) .close:focus')
    press("Escape")
    seen.page.wait_for_selector(".drawer", state="hidden")
    assert seen.page.evaluate(f"{focused}.dataset.number") == number, "back where it came from"


def test_on_a_phone_nothing_hangs_over_the_edge(watch: Callable[..., Any]) -> None:
    seen = watch(viewport={"width": 360, "height": 720}, has_touch=True)
    seen.open()
    for view, selector in VIEWS.items():
        seen.see(f"/local/1/{view}", selector)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360, view


def test_dark_follows_the_system_and_the_button(watch: Callable[..., Any]) -> None:
    seen = watch(color_scheme="dark")
    seen.open("/local/1/overview")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = seen.page.evaluate(colour)
    seen.page.wait_for_selector(VIEWS["overview"])
    seen.page.locator("#theme").click()
    assert seen.page.evaluate("document.documentElement.dataset.theme") == "light"
    light = seen.page.evaluate(colour)
    assert light != dark
    seen.page.reload()
    assert seen.page.evaluate(colour) == light, "the choice is kept"
    seen.page.wait_for_selector(VIEWS["overview"])


def test_a_wrong_token_is_refused_and_signing_out_forgets(watch: Callable[..., Any]) -> None:
    seen = watch()
    seen.page.goto(f"{seen.site.address}/")
    field = seen.page.get_by_label("Token")
    field.fill("no such token")
    field.press("Enter")
    seen.page.wait_for_selector(".refused:not(:empty)")
    seen.complaints.clear()  # the browser's own word on the 403
    seen.open()
    assert seen.page.evaluate("document.cookie") == "", "no script can read the token"
    seen.page.get_by_role("button", name="Sign out").click()
    seen.page.wait_for_selector("#token")
    seen.page.reload()
    seen.page.wait_for_selector("#token")


def test_points_and_lines_are_there_before_the_plotting_library(watch: Callable[..., Any]) -> None:
    seen = watch()
    seen.page.route("**/plotly.js", lambda route: route.abort())
    seen.open("/local/1/overview")
    seen.page.wait_for_selector(".plot .sketch path[d^=M]")
    assert seen.page.locator(".sketch").count() == 3  # the front, and each objective
    seen.complaints.clear()  # of plotly.js, which cannot be loaded
    seen.page.unroute("**/plotly.js")
    seen.page.reload()
    seen.page.wait_for_selector(".plot .main-svg")
    assert seen.page.locator(".sketch").count() == 0


def test_a_running_experiment_moves_and_obeys(
    watch: Callable[..., Any], running: Callable[[], int]
) -> None:
    number = running()
    seen = watch()
    seen.open(f"/local/{number}/workers")
    seen.page.locator(".worker .last").nth(1).wait_for()
    assert seen.page.locator(".worker").count() == 2
    seen.page.get_by_role("link", name="Trial 1").click()
    seen.page.wait_for_selector(".drawer .curve .main-svg")
    seen.page.locator(".drawer .log", has_text="begun with").wait_for()
    seen.page.keyboard.press("Escape")
    seen.page.get_by_role("button", name="Pause").click()
    seen.page.locator("#confirm").get_by_role("button", name="Cancel").click()
    assert seen.page.locator(".state.paused").count() == 0
    seen.page.get_by_role("button", name="Pause").click()
    seen.page.locator("#confirm").get_by_role("button", name="Pause").click()
    seen.page.wait_for_selector(".state.paused")
    seen.page.get_by_role("link", name="Trial 1").click()
    seen.page.get_by_role("button", name="End early").click()
    seen.page.locator("#confirm").get_by_role("button", name="End early").click()
    seen.page.wait_for_selector(".drawer .state.completed")  # by the stream of events
    # Paused, so no other has begun.
    seen.page.locator(".head .facts", has_text="1 running").wait_for()
    seen.page.keyboard.press("Escape")
    seen.page.get_by_role("button", name="Stop").click()
    seen.page.locator("#confirm").get_by_role("button", name="Stop").click()
    seen.page.wait_for_selector(".head .state.stopped")
