"""All that a trainer holds, to compare two moments of it."""

from typing import Any

import eigenmlp as em


def state_of(trainer: em.Trainer) -> dict[str, Any]:
    """Memories, parameters, counts and the generator, as bytes and numbers."""
    inner = trainer._trainer
    arrays = {name: inner.get_state(name).tobytes() for name in inner.state_names}
    return {
        **arrays,
        "parameters": trainer.net.parameters.tobytes(),
        "steps": trainer.steps,
        "epochs": trainer.epochs,
        "generator": trainer._rng.bit_generator.state,
    }
