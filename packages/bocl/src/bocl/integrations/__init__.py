"""The learner inside other libraries' loops: Avalanche (`.avalanche`) and Mammoth (`.mammoth`)."""
