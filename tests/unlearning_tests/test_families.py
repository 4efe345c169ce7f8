"""Families of parts, with distributions that lie in a folder as an installer leaves them."""

import pickle
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Ge
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError
from torch import nn

from unlearning.families import OptionsFamily, Package, PluginError, UnknownNameError
from unlearning.models import CNN, AnyNetwork, Network, ResNet18

LETHE = f"lethe {version('lethe')}"

GOOD = """
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from torch import nn

from unlearning.models import Network


class Plain(Network):
    name: Literal["plain"] = "plain"
    version: ClassVar[int] = 3
    depth: Annotated[int, Ge(1)] = 2

    def body(self, channels, classes):
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution of one module on the path, with one entry point among the networks."""

    def put(distribution: str, name: str, code: str, attribute: str = "Plain") -> None:
        folder, module = tmp_path / distribution, distribution.replace("-", "_")
        notes = folder / f"{module}-1.5.dist-info"
        notes.mkdir(parents=True)
        (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        (notes / "entry_points.txt").write_text(f"[lethe.networks]\n{name} = {module}:{attribute}\n")
        (folder / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, module, raising=False)

    return put


@pytest.fixture
def networks() -> OptionsFamily[Network]:
    return OptionsFamily("network", "lethe.networks", {"resnet18": ResNet18, "cnn": CNN}, base=Network)


class Small(Network):
    name: Literal["small"] = "small"
    version: ClassVar[int] = 1
    width: Annotated[int, Ge(1)] = 4

    def body(self, channels: int, classes: int) -> nn.Module:
        return nn.LazyLinear(classes)


class OtherCNN(CNN):
    version: ClassVar[int] = 1


def test_a_member_of_an_installed_distribution_is_imported_only_when_it_is_used(
    install: Install, networks: OptionsFamily[Network]
) -> None:
    install("lethe-plain", "plain", GOOD)
    assert list(networks) == ["resnet18", "cnn", "plain"]
    assert "plain" in networks
    assert networks.package("plain") == Package("lethe-plain", "1.5")
    assert "lethe_plain" not in sys.modules
    assert networks["plain"](depth=3).model_dump() == {"name": "plain", "depth": 3}  # type: ignore[call-arg]
    assert networks.package_of(networks["plain"]) == Package("lethe-plain", "1.5")


def test_built_in_members_come_from_lethe(networks: OptionsFamily[Network]) -> None:
    assert str(networks.package("cnn")) == str(networks.package_of(CNN)) == LETHE
    assert networks.entry_point("cnn") is None


def test_an_unknown_name_is_answered_with_the_nearest_and_the_valid_ones_and_where_each_comes_from(
    install: Install, networks: OptionsFamily[Network]
) -> None:
    install("lethe-plain", "plain", GOOD)
    networks.add(Small)
    with pytest.raises(UnknownNameError) as caught:
        networks["plane"]
    assert str(caught.value) == (
        "unknown network 'plane'; did you mean plain? The networks are "
        f"resnet18, cnn ({LETHE}), small (added by this program), plain (lethe-plain 1.5)"
    )
    assert networks.get("plane") is None
    assert "lethe_plain" not in sys.modules


NO_NAME = GOOD.replace('    name: Literal["plain"] = "plain"\n', "")
NO_VERSION = GOOD.replace("    version: ClassVar[int] = 3\n", "")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("plain", "import not_there", "cannot be imported: ModuleNotFoundError: No module named 'not_there'"),
        ("plain", "1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("plain", "Plane = 1", "cannot be imported: AttributeError: "),
        ("plain", "class Plain: pass", "wanted a class that derives from unlearning.models.Network, got lethe_bad."),
        ("plain", "Plain = 7", "wanted a class that derives from unlearning.models.Network, got 7"),
        ("plain", NO_VERSION, "Plain lacks a version of its own, a whole number from 1: version: ClassVar[int] = 1"),
        ("plain", GOOD.replace("= 3", "= 0"), "Plain lacks a version of its own"),
        ("plain", GOOD.replace("def body", "def bodi"), "Plain lacks body, which every unlearning.models.Network has"),
        ("plain", NO_NAME, 'Plain lacks its name: name: Literal["NAME"] = "NAME"'),
        ("plane", GOOD, "it calls itself 'plain', and its entry point must have the same name"),
        ("cnn", GOOD, "the name is taken by a network of lethe; uninstall one"),
    ],
    ids=lambda value: value[:30].strip(),
)
def test_a_plug_in_that_cannot_be_used_is_one_error_that_names_it_and_only_when_it_is_used(
    name: str, code: str, said: str, install: Install, networks: OptionsFamily[Network]
) -> None:
    install("lethe-bad", name, code)
    assert networks["resnet18"] is ResNet18
    assert name in networks
    with pytest.raises(PluginError) as caught:
        networks[name]
    where = f"plug-in lethe-bad 1.5, entry point {name} = lethe_bad:Plain in lethe.networks: "
    assert str(caught.value).startswith(where + said)
    assert "\n" not in str(caught.value)


def test_a_name_that_two_distributions_claim_belongs_to_none(
    install: Install, networks: OptionsFamily[Network]
) -> None:
    install("lethe-one", "plain", GOOD)
    install("lethe-two", "plain", GOOD)
    with pytest.raises(PluginError, match=r"the name is taken by a network of lethe-(one|two) 1\.5; uninstall one"):
        networks["plain"]


def again_defined() -> type[Network]:
    class Again(Small):
        version: ClassVar[int] = 2

    Again.__qualname__ = Small.__qualname__
    return Again


def test_a_program_adds_a_member_and_may_define_it_anew(networks: OptionsFamily[Network]) -> None:
    networks.add(Small)
    assert networks["small"] is Small
    assert networks.package("small") is networks.package_of(Small) is None
    again = again_defined()
    networks.add(again)
    assert networks["small"] is again
    assert not networks.is_member(Small)


def test_what_is_no_member_or_has_a_name_that_is_taken_is_not_added(
    install: Install, networks: OptionsFamily[Network]
) -> None:
    install("lethe-plain", "small", GOOD)
    with pytest.raises(PluginError, match=r"the network 'small' of lethe-plain 1\.5 exists"):
        networks.add(Small)
    with pytest.raises(PluginError, match=r"the network 'cnn' of lethe .* exists"):
        networks.add(OtherCNN)
    with pytest.raises(PluginError, match="lacks body"):
        networks.add(Network)
    with pytest.raises(PluginError, match=r"wanted a class that derives from unlearning\.models\.Network, got 7"):
        networks.add(7)  # type: ignore[arg-type]


def test_options_name_a_member_and_all_that_is_wrong_with_them_is_said_at_once() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(dict[str, AnyNetwork])
    assert adapter.validate_python({"a": {"name": "cnn", "width": 3}}) == {"a": CNN(width=3)}
    assert adapter.validate_python({"a": CNN(width=3)}) == {"a": CNN(width=3)}
    assert adapter.dump_python({"a": CNN(width=3)}) == {"a": {"name": "cnn", "width": 3}}
    assert adapter.validate_json(adapter.dump_json({"a": CNN(width=3)})) == {"a": CNN(width=3)}
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python({"a": {"name": "cnn", "width": 0, "depth": 1}, "b": {"name": "vgg"}, "c": {}, "d": 1})
    assert [error["loc"] for error in caught.value.errors()] == [
        ("a", "cnn", "width"),
        ("a", "cnn", "depth"),
        ("b",),
        ("c",),
        ("d",),
    ]
    assert "name: is needed; the networks are resnet18, cnn" in str(caught.value)


def test_an_instance_of_a_class_that_was_not_added_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"Small is none of the networks: .*; add it first"):
        TypeAdapter(AnyNetwork).validate_python(Small())


def test_the_json_schema_is_one_of_the_members() -> None:
    schema = TypeAdapter(AnyNetwork).json_schema()
    Draft202012Validator.check_schema(schema)
    accepts = Draft202012Validator(schema).is_valid
    assert accepts({"name": "cnn", "width": 3})
    assert not accepts({"name": "cnn", "width": 0})
    assert not accepts({"name": "vgg"})
    assert not accepts({"width": 3})


def test_a_loaded_member_travels_by_reference(install: Install, networks: OptionsFamily[Network]) -> None:
    install("lethe-plain", "plain", GOOD)
    network = networks["plain"]()
    assert pickle.loads(pickle.dumps(network)) == network
