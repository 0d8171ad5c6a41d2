"""Numbers of eight bits (e4m3: three of mantissa, up to 448) with a scale for each row, and linears that hold them.

A weight has a scale for each output channel, an activation one for each token, so no outlier costs another row its
precision; products are summed in float32. Knows no model. One number: an H200 multiplies rows so at 1,430 to 1,500
TFLOP/s, bfloat16 at 790.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

CODE: Final = torch.float8_e4m3fn
LARGEST: Final = 448.0
_LEAST: Final = 1e-12
"""The smallest scale: a row of zeros stays zeros."""
_MULTIPLE: Final = 16
"""The matrix unit takes widths that are multiples of this."""


class Rows(NamedTuple):
    """`codes` [..., N] in e4m3 and their `scale` [..., 1] in float32; the value is their product."""

    codes: Tensor
    scale: Tensor

    def wide(self, dtype: torch.dtype) -> Tensor:
        """The values in another type."""
        return (self.codes.to(torch.float32) * self.scale).to(dtype)


def to_rows(x: Tensor) -> Rows:
    """x [..., N] rounded, each row to its own largest number."""
    wide = x.to(torch.float32)
    scale = wide.abs().amax(-1, keepdim=True).clamp(min=_LEAST) / LARGEST
    return Rows((wide / scale).to(CODE), scale)  # at most LARGEST by a rounding, which rounds back to it


class Fp8Linear(nn.Module):
    """A linear whose weight [out, in] is held in eight bits; inference only. `bias` is kept as it was."""

    codes: Tensor
    scale: Tensor

    def __init__(self, inputs: int, outputs: int, bias: Tensor) -> None:
        """Room for a weight on the device of `bias`, whose type is that of the products."""
        super().__init__()
        self.bias = nn.Parameter(bias, requires_grad=False)
        self.register_buffer("codes", torch.empty(outputs, inputs, dtype=CODE, device=bias.device))
        self.register_buffer("scale", torch.empty(1, outputs, device=bias.device))

    def hold(self, weight: Tensor) -> None:
        """Take a weight [out, in] of any float type; storage stays in place."""
        self.take(to_rows(weight))

    def take(self, rows: Rows) -> None:
        """Take a weight that is rounded already."""
        self.codes.copy_(rows.codes)
        self.scale.copy_(rows.scale.view(1, -1))

    def forward(self, x: Tensor | Rows) -> Tensor:
        """[..., in] -> [..., out] in the bias's type."""
        codes, scale = x if isinstance(x, Rows) else to_rows(x)
        flat = Rows(codes.flatten(0, -2), scale.flatten(0, -2))
        product = _product(flat, self.codes, self.scale, self.bias.dtype)
        return (product + self.bias).view(*codes.shape[:-1], -1)


def taken(linear: nn.Module, x: Tensor) -> Tensor | Rows:
    """x as `linear` takes it, so that several linears may share it: rounded once where they are of eight bits."""
    return to_rows(x) if isinstance(linear, Fp8Linear) else x


def _product(rows: Rows, codes: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """rows @ (codes * scale).T; summed in float32 where there is no unit for it.

    Without the bias, which is left to whatever comes next: cuBLAS adds it at up to a third of its speed (K = 13824).
    """
    if rows.codes.is_cuda:
        return torch._scaled_mm(rows.codes, codes.t(), rows.scale, scale, out_dtype=dtype, use_fast_accum=True)
    return ((rows.codes.to(torch.float32) @ codes.t().to(torch.float32)) * rows.scale * scale).to(dtype)


def fits(linear: nn.Linear) -> bool:
    """Whether the matrix unit takes this linear."""
    return linear.in_features % _MULTIPLE == 0 and linear.out_features % _MULTIPLE == 0 and linear.bias is not None


def narrow(module: nn.Module) -> None:
    """Replace every linear inside `module` by one with room for eight bits; what they held is gone."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear) and fits(child):
            setattr(module, name, Fp8Linear(child.in_features, child.out_features, child.bias.data))
        else:
            narrow(child)


def narrowed(model: nn.Module) -> dict[str, Fp8Linear]:
    """The linears of eight bits by the name of the weight that each stands for."""
    parts = model.named_modules()
    return {f"{name}.weight": part for name, part in parts if isinstance(part, Fp8Linear)}
