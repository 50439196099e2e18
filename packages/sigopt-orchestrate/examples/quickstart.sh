cd quickstart
orchestrate run experiment.yml
