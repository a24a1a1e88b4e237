"""L-BFGS over the weights and biases of a linear model (Nocedal & Wright, Numerical Optimization, algorithm 7.4)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

MEMORY = 10


@dataclass(slots=True)
class Point:
    """Weights (n_features, n_classes) and biases (n_classes,), or a direction or gradient in them."""

    weights: Tensor
    biases: Tensor

    def plus(self, other: "Point", share: float = 1.0) -> "Point":
        return Point(self.weights.add(other.weights, alpha=share), self.biases.add(other.biases, alpha=share))

    def times(self, share: float) -> "Point":
        return Point(self.weights * share, self.biases * share)

    def dot(self, other: "Point") -> float:
        weights = torch.dot(self.weights.flatten(), other.weights.flatten())
        return float(weights + torch.dot(self.biases, other.biases))

    @property
    def largest(self) -> float:
        return float(torch.maximum(self.weights.abs().max(), self.biases.abs().max()))


@dataclass(slots=True)
class Memory:
    """The last steps of L-BFGS and how the gradient changed over each."""

    steps: list[Point] = field(default_factory=list)
    changes: list[Point] = field(default_factory=list)

    def add(self, step: Point, change: Point) -> None:
        """A step along which the gradient did not grow says nothing of the curvature."""
        if step.dot(change) > 0:
            self.steps = [*self.steps, step][-MEMORY:]
            self.changes = [*self.changes, change][-MEMORY:]

    def direction(self, gradient: Point, solve: Callable[[Point], Point]) -> Point:
        """Downhill; solve : a first guess of the Hessian's inverse, applied to a point."""
        left, shares = gradient, []
        for step, change in zip(reversed(self.steps), reversed(self.changes), strict=True):
            shares.append(step.dot(left) / step.dot(change))
            left = left.plus(change, -shares[-1])
        found = solve(left)
        if self.steps:
            step, change = self.steps[-1], self.changes[-1]
            found = found.times(step.dot(change) / change.dot(solve(change)))
        for step, change, share in zip(self.steps, self.changes, reversed(shares), strict=True):
            found = found.plus(step, share - change.dot(found) / step.dot(change))
        return found.times(-1.0)
