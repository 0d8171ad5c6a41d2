from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from liveavatar_tui.commands.wrapping import is_wide, wrap


def test_chinese_is_broken_by_cells_and_not_before_a_closing_mark():
    text = "片段数，每段 1.92 秒；不给出则与语音等长（见 config.yaml）。"
    assert wrap(text, 20) == ["片段数，每段 1.92", "秒；不给出则与语音等", "长（见", "config.yaml）。"]
    assert is_wide(text) and not is_wide("a word")


@given(st.text(st.sampled_from("生成视频a1-. ，。；（）《》“”"), max_size=60), st.integers(8, 30))
def test_nothing_is_lost_and_nothing_is_too_wide(text, cells):
    lines = wrap(text, cells)
    assert "".join(lines).replace(" ", "") == "".join(text.split())
    longest = max((cell_len(word) for word in text.split()), default=0)
    assert all(cell_len(line) <= max(cells, longest) for line in lines)
