import re
from pathlib import Path

from lora_repository import codes

PAGE = Path(__file__).parents[2] / "docs" / "codes" / "lora.md"
ALL = {name: value for name, value in vars(codes).items() if name.isupper()}


def test_every_code_is_given_once_and_explained():
    assert len(set(ALL.values())) == len(ALL)
    explained = re.findall(r"^### (LORA\d{3}) \S", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert explained == sorted(ALL.values())


def test_every_code_is_used():
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(codes.__file__).parent.glob("*.py"))
    assert not [name for name in ALL if len(re.findall(rf"\b{name}\b", sources)) < 3]
