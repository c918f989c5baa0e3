"""Valid lists of models, and valid changes of them."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.lifecycle import models
from seq2sum_serving.embedded.lifecycle.models import Model
from seq2sum_serving.embedded.lifecycle.source import Monitored
from seq2sum_serving.embedded.lifecycle.versions import All

GOOD = Model("m", "/models/m")
NO_PLATFORM = Model("n", "/models/n", platform="")
NEITHER = (
    "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
    "ModelServerConfig::model_platform, model name is n"
)


def refusal(check, *arguments):
    with pytest.raises(ServingError) as caught:
        check(*arguments)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_name_may_be_listed_once():
    models.check_list([GOOD, Model("other", "/models/m")])
    assert refusal(models.check_list, [GOOD, Model("m", "/b")]) == (
        "Illegal to list model m multiple times in config list"
    )


@pytest.mark.parametrize("path", ["gs://bucket/m", "s3://b/m", "hdfs://h/m"])
def test_base_path_in_an_object_store_is_refused(path):
    with pytest.raises(ServingError, match="is not supported: copy or mount") as caught:
        models.check_list([Model("m", path)])
    assert caught.value.code is Code.UNIMPLEMENTED


@pytest.mark.parametrize("path", ["/models/m", "file:///models/m", "nope://a/b"])
def test_base_path_may_be_absolute_or_a_uri(path):
    models.check_list([Model("m", path)])


@pytest.mark.parametrize("path", ["", "models/m", "./m", "~/m"])
def test_other_base_path_is_refused(path):
    assert refusal(models.check_list, [Model("m", path)]) == (
        f"Expected model m to have an absolute path or URI; got base_path()={path}"
    )


def test_platform_of_a_model_cannot_change():
    models.check_transition([GOOD], [GOOD, Model("x", "/x", platform="torch")])
    assert refusal(models.check_transition, [GOOD], [Model("m", "/m", platform="torch")]) == (
        "Illegal to change a model's platform. For model m platform was tensorflow and new "
        "platform requested is torch"
    )


@pytest.mark.parametrize("after", [[], [GOOD], [Model("n", "/models/n")]])
def test_stored_model_without_a_platform_poisons_later_lists(after):
    """The real server needs a restart, too (case missing-platform-new-model-poisons)."""
    assert refusal(models.check_transition, [NO_PLATFORM], after) == NEITHER


def test_deprecated_type_is_accepted_without_a_platform():
    assert models.platform(Model("m", "/m", platform="", type_number=1)) == "tensorflow"
    assert "Illegal setting both" in refusal(models.platform, Model("m", "/m", type_number=1))
    assert "model_type choice 2 not supported" in refusal(
        models.platform, Model("m", "/m", platform="", type_number=2)
    )


def test_monitored_models_have_base_paths_and_policies():
    assert models.monitored([Model("m", "/m", policy=All())]) == {"m": Monitored("/m", All())}
    assert refusal(models.monitored, [NO_PLATFORM]) == NEITHER
    assert refusal(models.monitored, [Model("m", "/m", platform="torch")]) == (
        "Model m requests unsupported platform torch"
    )


def test_request_logging_is_refused():
    models.check_request_logging([GOOD])
    assert refusal(models.check_request_logging, [Model("m", "/m", logs_requests=True)]) == (
        "No request-logger-creator provided."
    )
