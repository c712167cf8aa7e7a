"""Linear heads on the classifier's features: for emoji and for groceries."""

from __future__ import annotations

from torch import Tensor, nn

from inference.pocket.efficientnet import NUM_FEATURES


class Heads(nn.Module):
    """Two more classifiers on the features' mean over the grid."""

    def __init__(self, num_emoji: int, num_groceries: int) -> None:
        super().__init__()
        self.emoji = nn.Linear(NUM_FEATURES, num_emoji)
        self.groceries = nn.Linear(NUM_FEATURES, num_groceries)

    def of_emoji(self, features: Tensor) -> Tensor:
        """Shape: (batch, 1280) -> probabilities (batch, num_emoji)."""
        return self.emoji(features).softmax(-1)  # type: ignore[no-any-return]

    def of_groceries(self, features: Tensor) -> Tensor:
        """Shape: (batch, 1280) -> probabilities (batch, num_groceries)."""
        return self.groceries(features).softmax(-1)  # type: ignore[no-any-return]
