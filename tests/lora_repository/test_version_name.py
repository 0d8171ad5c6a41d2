import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_repository.finding import Problem
from lora_repository.version_name import VersionName, match_version_name, parse_version_name, propose_name, slug_of

NUMBERS = st.integers(0, 10**9 - 1)
NAMES = st.builds(
    VersionName, NUMBERS, NUMBERS, st.integers(-1, 10**9 - 1), st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,79}\Z")
)


def test_sorted_by_number_not_by_letters():
    names = ["v1.10_a", "v1.9_z", "v2.0_a", "v1.9.1_a", "v10.0_a", "v1.9.0_b"]
    assert sorted(names, key=parse_version_name) == ["v1.9_z", "v1.9.0_b", "v1.9.1_a", "v1.10_a", "v2.0_a", "v10.0_a"]


@given(NAMES)
def test_every_name_is_read_back(name):
    assert match_version_name(str(name)) == name


@given(st.text(max_size=30))
def test_what_is_accepted_is_spelt_in_one_way(text):
    found = match_version_name(text)
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    "name",
    ["", "v1_a", "1.0_a", "v1.0", "v1.0_", "V1.0_a", "v01.0_a", "v1.0_A", "v1.0_a b", "v1.0_a/", "v1.0_a\n", "v1.０_a",
     "v1.0_а", "v1.0.0.0_a", "v1.0_../x", "v1.0_" + "a" * 81, "v" + "9" * 10 + ".0_a"],
)  # fmt: skip
def test_look_alikes_are_refused(name):
    assert match_version_name(name) is None
    with pytest.raises(Problem) as caught:
        parse_version_name(name)
    assert caught.value.finding.code == "LORA026"
    assert caught.value.exit_code == 2


def test_proposal_follows_the_highest():
    existing = [parse_version_name(name) for name in ("v1.9_a", "v1.10_b")]
    assert str(propose_name(existing, "Product Demo (new)!")) == "v1.11_product_demo_new"
    assert str(propose_name(existing, "x", major=True)) == "v2.0_x"
    assert str(propose_name([], "产品")) == "v1.0_adapter"


@given(st.text())
def test_every_slug_makes_a_name(text):
    assert match_version_name(f"v1.0_{slug_of(text)}") is not None
