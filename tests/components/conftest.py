"""How many examples of its strategies a component is compared on: a few, the same each time; with
`HYPOTHESIS_PROFILE=thorough` many, and new ones. Only test_parity.py takes these settings.
"""

from hypothesis import Phase, settings

COMMON = {
    "deadline": None,
    "database": None,
    "phases": (Phase.explicit, Phase.generate, Phase.shrink),  # explaining takes longer than the whole suite
}

settings.register_profile("quick", max_examples=20, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=300, print_blob=True, **COMMON)
