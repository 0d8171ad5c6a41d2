import json
import subprocess
from pathlib import Path

import pytest
from adapter_files import CONFIG
from hypothesis import given
from hypothesis import strategies as st

from lora_repository.config import parse_config, read_config, rebuild_command, schema
from lora_repository.finding import Severity
from lora_repository.json_places import read_object
from lora_repository.json_rules import holds

PATH = Path("v1.0_x/config.json")


def findings_of(text):
    config, findings = parse_config(text.encode() if isinstance(text, str) else text, PATH)
    assert (config is None) == any(finding.severity is Severity.ERROR for finding in findings)
    return findings


def test_the_contract_as_written():
    config, findings = parse_config(json.dumps(CONFIG | {"base_adapter": "v1.0_base"}).encode(), PATH)
    assert config is not None
    assert not findings
    assert (config.r, config.lora_alpha, config.target_modules, config.dmd_rank) == (3, 8, ("attn", "ffn"), 4)
    assert config.base_adapter == "v1.0_base"
    assert parse_config(json.dumps(config.as_dict()).encode(), PATH)[0] == config


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"r": 8,\n "lora_alpha": 16,\n}', "line 3, column 1"),
        ('{"r": 8\n "lora_alpha": 16}', "line 2, column 2"),
        ("{'r': 8}", "line 1, column 2"),
        ('{"r": 8} x', "line 1, column 10"),
        ("", "line 1, column 1"),
        ("[]", "line 1, column 1"),
        ('{"r": NaN}', "line 1, column 7"),
        ('{"r": ' + "[" * 100000, "line 1, column 7"),
        ('// comment\n{"r": 8}', "line 1, column 1"),
        (b"\xff\xfe{\x00", "byte 1"),
        (b'\xef\xbb\xbf{"r": 8}', "byte order mark"),
        (b" " * 1_000_001, "1 MB"),
    ],
)
def test_broken_json_says_where(text, place):
    (finding,) = findings_of(text)
    assert finding.code == "LORA002"
    assert place in finding.message
    assert "printf" in finding.fix


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("r", 0), ("r", -1), ("r", 8.0), ("r", "8"), ("r", True), ("r", None), ("r", 65537),
        ("lora_alpha", 0), ("lora_alpha", -16), ("lora_alpha", "16"), ("lora_alpha", True), ("lora_alpha", 1e300),
        ("target_modules", "attn"), ("target_modules", []), ("target_modules", [1]), ("target_modules", [""]),
        ("dmd_rank", [4]), ("dmd_rank", {}), ("base_adapter", 3), ("base_adapter", " "),
    ],
)  # fmt: skip
def test_wrong_values_are_named_with_their_place(key, value):
    text = json.dumps(CONFIG | {"base_adapter": None} | {key: value}, indent=2)
    (finding,) = findings_of(text)
    assert finding.code == "LORA003"
    assert f'"{key}"' in finding.message
    line = next(n for n, line in enumerate(text.splitlines(), 1) if f'"{key}"' in line)
    assert f"line {line}," in finding.message


@pytest.mark.parametrize("key", list(CONFIG))
def test_missing_keys(key):
    (finding,) = findings_of(json.dumps({name: value for name, value in CONFIG.items() if name != key}))
    assert (finding.code, finding.severity) == ("LORA003", Severity.ERROR)
    assert f'"{key}" is missing' in finding.message


def test_a_key_twice_is_an_error():
    assert [f.code for f in findings_of('{"dmd_rank": 8, ' + json.dumps(CONFIG)[1:])] == ["LORA003"]


def test_unknown_keys_are_told_and_misspelt_ones_warned_about():
    config, findings = parse_config(json.dumps(CONFIG | {"peft_type": "LORA", "base_adaptor": "x"}).encode(), PATH)
    assert config is not None
    assert {finding.severity for finding in findings} == {Severity.INFO, Severity.WARNING}
    assert any("base_adapter" in finding.message for finding in findings)


def test_the_rebuild_command_makes_a_good_config(tmp_path):
    path = tmp_path / "it's here" / "config.json"
    path.parent.mkdir()
    subprocess.run(["sh", "-c", rebuild_command(path, r=3, dmd_rank=7)], check=True)
    config, findings = read_config(path)
    assert config is not None
    assert (config.r, config.dmd_rank, findings) == (3, 7, [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text() | st.sampled_from([*CONFIG, "base_adapter"]), JSON, max_size=6), st.booleans())
def test_any_object_is_read_as_json_reads_it(document, spread):
    text = json.dumps(document, indent=2 if spread else None, ensure_ascii=spread)
    assert {member.name: member.value for member in read_object(text)} == document
    findings_of(text)


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_answered(data):
    findings_of(data)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 3}, [1, 3], [0, 4, True, 1.0, "1", None, []]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 9}, [0.1, 8], [0, 9, 10**400, True, "1"]),
        ({"type": ["string", "null"], "pattern": r"\S"}, [None, " x"], ["", " \t", 1, ["x"]]),
        ({"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}, [["a"]], [[], [""], [1], "a"]),
        ({"type": "number"}, [1, 1.5], [float("inf"), float("nan"), True]),
    ],
)
def test_rules_mean_what_json_schema_means(rule, good, bad):
    assert all(holds(value, rule) for value in good)
    assert not any(holds(value, rule) for value in bad)


def test_the_schema_asks_for_what_the_contract_asks():
    asked = schema()
    assert asked["required"] == ["r", "lora_alpha", "target_modules", "dmd_rank"]
    assert set(asked["properties"]) == {*CONFIG, "base_adapter"}
    good = CONFIG | {"base_adapter": None}
    assert all(holds(good[name], rule) for name, rule in asked["properties"].items())
