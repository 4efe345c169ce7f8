"""Networks this small gain nothing from a second thread, and lose minutes to it where other work shares the cores."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
