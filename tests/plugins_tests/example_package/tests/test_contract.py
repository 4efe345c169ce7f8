import pytest
from lethe_example.data import Stripes
from lethe_example.methods import Alternate
from lethe_example.metrics import FORGET_LOSS
from lethe_example.networks import Perceptron

from unlearning.testing import METHOD_CHECKS, METRIC_CHECKS, NETWORK_CHECKS, SOURCE_CHECKS, name_of


@pytest.mark.parametrize("check", METHOD_CHECKS, ids=name_of)
def test_alternate(check):
    check(Alternate(epochs=2, batch_size=32, lr=0.001))


@pytest.mark.parametrize("check", NETWORK_CHECKS, ids=name_of)
def test_perceptron(check):
    check(Perceptron(width=8))


@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=name_of)
def test_stripes(check):
    check(Stripes())


@pytest.mark.parametrize("check", METRIC_CHECKS, ids=name_of)
def test_forget_loss(check):
    check(FORGET_LOSS)
