"""Three tasks of shuffled digits, learned in order; then the first one asked again."""

from bocl import BOCL, make_stream, measure

stream = make_stream("permuted-digits", tasks=3)
learner = BOCL(trunk="mlp-small", epochs=10, trials=5)
for task in stream:
    learner.fit_task(task.train, name=task.name)
    record = learner.records[-1]
    print(f"{task.name}: view {record.view}, grew {record.growth}, {record.parameters} numbers")

test = stream[0].test
print("task 0, known:   ", (learner.predict(test.inputs, task=0) == test.targets.numpy()).mean())
print("task 0, inferred:", (learner.predict(test.inputs) == test.targets.numpy()).mean())
print(measure(learner.evaluate(stream)))
