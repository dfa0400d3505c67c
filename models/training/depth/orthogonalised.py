"""An optimiser for the matrices of a small transformer."""

import torch


class Orthogonalised(torch.optim.Optimizer):
    """Momentum whose direction is orthogonalised (Muon, Jordan 2024): matrices of a transformer learn in fewer steps.

    In float32, for this machine has no fast bfloat16, which PyTorch's own takes for the iteration.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.02):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:
        """Do one update."""
        for group in self.param_groups:
            for matrix in group["params"]:
                velocity = self.state[matrix].setdefault("velocity", torch.zeros_like(matrix))
                velocity.lerp_(matrix.grad, 1.0 - group["momentum"])
                x = matrix.grad.lerp(velocity, group["momentum"])
                tall = x.shape[0] > x.shape[1]
                x = x.T if tall else x
                x = x / (x.norm() + 1e-7)
                for _ in range(5):  # Newton-Schulz, a quintic whose coefficients drive singular values to about 1
                    a = x @ x.T
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                x = x.T if tall else x
                matrix.mul_(1.0 - group["lr"] * group["decay"])
                matrix.add_(x, alpha=-group["lr"] * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5)
