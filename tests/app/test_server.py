import pytest
from streamlit import config
from streamlit.web.server.starlette.starlette_app import _validate_run_config

from app.server import server_options


def test_every_option_that_the_app_relies_on_is_known_to_streamlit():
    options = server_options(port=8501, address="127.0.0.1")
    assert _validate_run_config(options) == options


def test_the_path_that_the_app_is_below_is_told_to_streamlit():
    options = server_options(port=8501, address="127.0.0.1", base="/labels/cats")
    assert options["server.baseUrlPath"] == "labels/cats"


def test_streamlit_can_be_told_not_to_collect_garbage_after_every_run():
    before = config.get_option("runner.postScriptGC")
    config.set_option("runner.postScriptGC", False)
    try:
        assert config.get_option("runner.postScriptGC") is False
    finally:
        config.set_option("runner.postScriptGC", before)
    assert server_options(port=8501, address="127.0.0.1")["runner.postScriptGC"] is False


@pytest.mark.parametrize(("address", "guarded"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_a_local_server_accepts_local_host_names_only(address, guarded):
    assert ("server.allowedHosts" in server_options(port=8501, address=address)) is guarded


def test_nothing_is_reported_to_the_makers_of_streamlit():
    assert server_options(port=8501, address="127.0.0.1")["browser.gatherUsageStats"] is False
