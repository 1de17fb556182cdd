"""1 x 1 convolutions with a stride, without PyTorch's own: training it on a CPU destroys memory.

Its gradient by the weight writes beyond its workspace where channels are few or threads are three or more, and the
program dies somewhere later (oneDNN, as in PyTorch 2.13; https://github.com/uxlfoundation/oneDNN/issues/6035). To thin
the image out first and multiply then gives the same numbers.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class Pointwise(nn.Conv2d):
    """`nn.Conv2d` of kernel 1 without padding, its stride taken first; weights and their names are the same."""

    def __init__(self, inside: int, out: int, *, stride: int = 1, bias: bool = True) -> None:
        super().__init__(inside, out, 1, stride, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        """`(n, in, h, w)` to `(n, out, ceil(h / stride), ceil(w / stride))`."""
        down, right = self.stride
        return F.conv2d(images[..., ::down, ::right], self.weight, self.bias, groups=self.groups)


def thin_first(network: nn.Module) -> None:
    """Turn every strided 1 x 1 convolution of somebody else's network into a `Pointwise`, in place."""
    for module in network.modules():
        if (
            type(module) is nn.Conv2d
            and module.kernel_size == (1, 1)
            and module.stride != (1, 1)
            and module.padding in ((0, 0), "valid")
        ):
            module.__class__ = Pointwise
