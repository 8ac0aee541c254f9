import pytest
pytestmark = pytest.mark.browser
def test_a(visit, server):
    v = visit(server).log_in()
    v.open("/app/twins")
    print(v.page.locator("body").inner_text())
    v.open("/app/overview")
    print(v.page.locator("body").inner_text())
    v.open("/app/alarms")
    print(v.page.locator("main").inner_text())
def test_b():
    import asyncio
    try:
        asyncio.run(asyncio.sleep(0))
    except RuntimeError as e: print(e)
