import torch
from torch import nn

from unlearning.fisher import squared_gradients
from unlearning.models import CNN


def logistic() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))


def images(count: int, size: int = 2) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 1, size, size), generator=random, dtype=torch.uint8)


def test_the_squared_gradients_of_logistic_regression_are_those_of_its_formula() -> None:
    """The gradient of the weights for an image x of class y is (p - e_y) x'."""
    model, images_NCHW, labels_N = logistic(), images(5), torch.tensor([0, 1, 2, 0, 1])
    sums = squared_gradients(model, images_NCHW, labels_N, batch_size=2)
    x_NP = images_NCHW.flatten(1) / 255
    error_NK = model(images_NCHW / 255).softmax(1) - torch.eye(3)[labels_N]
    expected = torch.einsum("nk,np->nkp", error_NK, x_NP).square().sum(0)
    torch.testing.assert_close(sums["1.weight"], expected)
    torch.testing.assert_close(sums["1.bias"], error_NK.square().sum(0))


def test_batches_change_rounding_alone_and_neither_weights_nor_running_statistics_move() -> None:
    model = CNN(width=2).build(1, 3, seed=0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images_NCHW, labels_N = images(7, size=8), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    one, many = (squared_gradients(model, images_NCHW, labels_N, batch_size=size) for size in (1, 7))
    assert one.keys() == dict(model.named_parameters()).keys()
    for name, value in one.items():
        torch.testing.assert_close(value, many[name])
        assert not value.requires_grad
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
