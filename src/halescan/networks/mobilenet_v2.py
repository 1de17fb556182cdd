"""MobileNetV2 with its batch norms folded away: the same features as transformers' model, several times faster to get.

Plain torch, so that examining a scan need not import transformers (about 3 s).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halescan.errors import WeightsError

STRIDES = (2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)  # of blocks 2 to 17
DEEPEST = len(STRIDES) + 1


class SameConv(nn.Module):
    """Convolution and bias with TensorFlow's "SAME" padding, or torch's, and ReLU6 if asked.

    Args:
        weight: `(out, in / groups, k, k)`.
        same: TensorFlow's padding, which puts the odd pixel at the bottom and the right.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, stride: int = 1, relu: bool = True, same: bool = True) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)
        self.side, self.stride, self.relu, self.same = weight.shape[-1], stride, relu, same
        self.groups = weight.shape[0] if weight.shape[1] == 1 and self.side > 1 else 1

    def forward(self, images: Tensor) -> Tensor:
        """`(n, in, h, w)` to `(n, out, ceil(h / stride), ceil(w / stride))`."""
        before, after = zip(*(self._padding(side) for side in images.shape[-2:]), strict=True)
        if before != after:
            images, before = F.pad(images, (before[1], after[1], before[0], after[0])), (0, 0)
        out = F.conv2d(images, self.weight, self.bias, self.stride, before, groups=self.groups)
        return F.relu6(out, inplace=True) if self.relu else out

    def _padding(self, side: int) -> tuple[int, int]:
        """Pixels before and after one axis."""
        if not self.same:
            return (self.side - 1) // 2, (self.side - 1) // 2
        whole = max(self.side - ((side - 1) % self.stride + 1), 0)
        return whole // 2, whole - whole // 2


class MobileNetV2(nn.Module):
    """Blocks 1 to 17 of MobileNetV2; level k is the output of block k, numbered as in torchvision.

    Strides at 224 px: block 1 has 112 x 112 places, 2-3 56, 4-6 28, 7-13 14, 14-17 7.

    Args:
        arrays: Convolutions with the batch norm folded in, as `fold` gives them or `arrays` gave them back.

    Source:
        Sandler et al. 2018, arXiv 1801.04381; block layout as in transformers' `MobileNetV2Model` (Apache-2.0), with
        which a test compares the numbers.
    """

    def __init__(self, arrays: Mapping[str, Tensor], *, same: bool = True) -> None:
        super().__init__()
        self.same = same
        names = [["first_conv", "conv_3x3", "reduce_1x1"]] + [["expand_1x1", "conv_3x3", "reduce_1x1"]] * len(STRIDES)
        self.blocks = nn.ModuleList()
        for number, (parts, stride) in enumerate(zip(names, (2, *STRIDES), strict=True), start=1):
            if f"{number}.{parts[0]}.weight" not in arrays:
                break  # the network was cut here
            self.blocks.append(self._block(arrays, number, parts, stride))

    def _block(self, arrays: Mapping[str, Tensor], number: int, parts: Sequence[str], stride: int) -> nn.Sequential:
        striding = "first_conv" if number == 1 else "conv_3x3"
        block = nn.Sequential()
        for part in parts:
            block.add_module(
                part,
                SameConv(
                    arrays[f"{number}.{part}.weight"],
                    arrays[f"{number}.{part}.bias"],
                    stride=stride if part == striding else 1,
                    relu=part != "reduce_1x1",
                    same=self.same,
                ),
            )
        return block

    @property
    def deepest(self) -> int:
        """The last level there is."""
        return len(self.blocks)

    def cut(self, deepest: int) -> None:
        """Forget the blocks behind this level."""
        self.blocks = self.blocks[:deepest]

    def forward(self, images: Tensor, levels: Sequence[int]) -> list[Tensor]:
        """Images `(n, 3, h, w)` in [-1, 1] to the outputs of these blocks; stops behind the deepest."""
        kept: dict[int, Tensor] = {}
        here = images
        for number, block in enumerate(list(self.blocks)[: max(levels)], start=1):
            out = block(here)
            same_kind = number > 1 and STRIDES[number - 2] == 1 and here.shape == out.shape
            here = here + out if same_kind else out
            if number in levels:
                kept[number] = here
        return [kept[level] for level in levels]

    def arrays(self) -> dict[str, Tensor]:
        """The weights under the names the constructor takes."""
        return {name.removeprefix("blocks."): value for name, value in self._renumbered()}

    def _renumbered(self) -> list[tuple[str, Tensor]]:
        """Blocks count from 1 outside and from 0 inside."""
        pairs = []
        for name, value in self.state_dict().items():
            _, number, rest = name.split(".", 2)
            pairs.append((f"{int(number) + 1}.{rest}", value))
        return pairs


def fold(weights: Mapping[str, Tensor], *, epsilon: float) -> dict[str, Tensor]:
    """Fold the batch norms of a transformers state dictionary into its convolutions.

    Raises:
        WeightsError: if these are not the weights of a MobileNetV2.
    """
    plain = {name.removeprefix("mobilenet_v2."): value for name, value in weights.items()}
    folded: dict[str, Tensor] = {}
    for number in range(1, DEEPEST + 1):
        room = "conv_stem" if number == 1 else f"layer.{number - 2}"
        for part in ("first_conv" if number == 1 else "expand_1x1", "conv_3x3", "reduce_1x1"):
            try:
                weight, bias = _folded_pair(plain, f"{room}.{part}", epsilon)
            except KeyError as error:
                raise WeightsError(f"the weights lack {error}: they are not those of a MobileNetV2") from error
            folded |= {f"{number}.{part}.weight": weight, f"{number}.{part}.bias": bias}
    return folded


def _folded_pair(plain: Mapping[str, Tensor], room: str, epsilon: float) -> tuple[Tensor, Tensor]:
    """Weight and bias of one convolution with its batch norm inside, computed in float64."""
    norm = {name: plain[f"{room}.normalization.{name}"].double() for name in ("weight", "bias")}
    mean, variance = (plain[f"{room}.normalization.running_{name}"].double() for name in ("mean", "var"))
    gain = norm["weight"] / torch.sqrt(variance + epsilon)
    weight = plain[f"{room}.convolution.weight"].double() * gain[:, None, None, None]
    return weight.float(), (norm["bias"] - mean * gain).float()
