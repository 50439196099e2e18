-- The schema of user_version 1 as SQLAlchemy made it, with one experiment in mid-flight.
PRAGMA user_version = 1;
CREATE TABLE experiments (
  id INTEGER NOT NULL,
  spec TEXT NOT NULL,
  directory TEXT NOT NULL,
  state VARCHAR(16) NOT NULL,
  epoch INTEGER NOT NULL,
  stop_requested BOOLEAN NOT NULL,
  reason TEXT,
  created_at FLOAT NOT NULL,
  ended_at FLOAT,
  PRIMARY KEY (id)
);
CREATE TABLE trials (
  id INTEGER NOT NULL,
  experiment_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  assignments TEXT NOT NULL,
  source VARCHAR(32) NOT NULL,
  state VARCHAR(16) NOT NULL,
  attempt INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  losses INTEGER NOT NULL,
  reason TEXT,
  created_at FLOAT NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (experiment_id, number),
  FOREIGN KEY(experiment_id) REFERENCES experiments (id)
);
CREATE TABLE attempts (
  trial_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  token VARCHAR(36) NOT NULL,
  started_at FLOAT NOT NULL,
  ended_at FLOAT,
  PRIMARY KEY (trial_id, number),
  FOREIGN KEY(trial_id) REFERENCES trials (id),
  UNIQUE (token)
);
CREATE TABLE events (
  id INTEGER NOT NULL,
  trial_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  "before" VARCHAR(16),
  "after" VARCHAR(16) NOT NULL,
  cause TEXT,
  at FLOAT NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(trial_id) REFERENCES trials (id)
);
CREATE INDEX ix_events_trial_id ON events (trial_id);
CREATE TABLE observations (
  trial_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  failed BOOLEAN NOT NULL,
  metrics TEXT,
  created_at FLOAT NOT NULL,
  PRIMARY KEY (trial_id),
  FOREIGN KEY(trial_id) REFERENCES trials (id)
);

INSERT INTO experiments VALUES (1, '{"name":"old","command":["true"],"env":{},"parameters":[{"name":"x","type":"double","bounds":{"min":0.0,"max":1.0}}],"metrics":[{"name":"y"}],"budget":3}', '/old', 'running', 2, 0, NULL, 100.0, NULL);
INSERT INTO trials VALUES (1, 1, 1, '{"x": 0.25}', 'default', 'completed', 1, 0, 0, NULL, 101.0);
INSERT INTO trials VALUES (2, 1, 2, '{"x": 0.5}', 'quasi-random', 'running', 2, 0, 1, 'its process was lost', 102.0);
INSERT INTO attempts VALUES (1, 1, 'one', 101.0, 102.0);
INSERT INTO attempts VALUES (2, 1, 'two', 103.0, 104.0);
INSERT INTO attempts VALUES (2, 2, 'three', 105.0, NULL);
INSERT INTO observations VALUES (1, 1, 0, '{"y": 1.5}', 102.0);
INSERT INTO events VALUES (1, 1, 1, NULL, 'queued', 'default', 101.0);
