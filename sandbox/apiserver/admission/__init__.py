"""What a write has to pass, and what may change it on its way: priorities of pods, then webhooks.

    priorities.py (pods, PriorityClasses)
    chain.py: mutate, validate -> webhooks.py (which ask to be called?), cel.py (matchConditions)
                               -> reviews.py (the AdmissionReview) -> calls.py (HTTPS; failures.py: in words)
                               -> patches.py (what a mutating answer changes)

`operations.py` runs the chain for every write. `configurations.py` checks the configurations themselves, as
`validation.py` does all objects.
"""
