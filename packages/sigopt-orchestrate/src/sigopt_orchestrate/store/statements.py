"""The hot path's statements, in the SQL that SQLite and PostgreSQL share."""

TAKE_OVER = "UPDATE experiments SET epoch = ? WHERE id = ? AND epoch = ?"
FENCE = "SELECT epoch, stop_requested, paused, retries FROM experiments WHERE id = ?"
SET_EXPERIMENT = (
    "UPDATE experiments SET state = ?, stop_requested = ?, reason = ?, ended_at = ? WHERE id = ?"
)
REQUEST_STOP = "UPDATE experiments SET stop_requested = ? WHERE id = ?"
REQUEST_PAUSE = "UPDATE experiments SET paused = ? WHERE id = ?"
RETRIES = "SELECT retries FROM experiments WHERE id = ?"
REQUEST_RETRIES = "UPDATE experiments SET retries = ? WHERE id = ?"
AMEND = "UPDATE experiments SET spec = ?, retries = NULL WHERE id = ?"
ADD_EXPERIMENT = (
    "INSERT INTO experiments (spec, directory, state, epoch, stop_requested, created_at)"
    " VALUES (?, ?, ?, 0, ?, ?) RETURNING id"
)
EXPERIMENTS = (
    "SELECT id, spec, directory, state, epoch, stop_requested, paused, reason, created_at, ended_at"
    " FROM experiments"
)

ADD_TRIAL = (
    "INSERT INTO trials (experiment_id, number, assignments, source, state, created_at,"
    " attempt, errors, losses) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0) RETURNING id"
)
MOVE = (
    "UPDATE trials SET state = ?, attempt = ?, errors = ?, losses = ?, ooms = ?, reason = ?"
    " WHERE id = ? AND state = ? AND attempt = ?"
)
TRIALS = (
    "SELECT trials.id, trials.number, assignments, source, state, trials.attempt, token, errors,"
    " losses, ooms, metrics, reason, trials.created_at, started_at, ended_at"
    " FROM trials"
    " LEFT JOIN attempts ON attempts.trial_id = trials.id AND attempts.number = trials.attempt"
    " LEFT JOIN observations ON observations.trial_id = trials.id"
    " WHERE experiment_id = ?"
)
MOVED_SINCE = " AND trials.id IN (SELECT trial_id FROM events WHERE events.id > ?)"
LAST_EVENT = "SELECT coalesce(max(id), 0) FROM events"
ADD_EVENT = (
    'INSERT INTO events (trial_id, attempt, "before", "after", cause, at) VALUES (?, ?, ?, ?, ?, ?)'
)

ADD_ATTEMPT = "INSERT INTO attempts (trial_id, number, token, started_at) VALUES (?, ?, ?, ?)"
END_ATTEMPT = "UPDATE attempts SET ended_at = ? WHERE trial_id = ? AND number = ?"
FIND_ATTEMPT = (
    "SELECT trial_id, attempts.number FROM attempts JOIN trials ON trials.id = trial_id"
    " WHERE token = ? AND experiment_id = ?"
)
ADD_OBSERVATION = (
    "INSERT INTO observations (trial_id, attempt, failed, metrics, created_at)"
    " VALUES (?, ?, ?, ?, ?)"
)
ADD_LATE_REPORT = (
    "INSERT INTO late_reports (trial_id, attempt, failed, metrics, reason, created_at)"
    " SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS"
    " (SELECT 1 FROM observations WHERE trial_id = ? AND attempt = ?)"
    " ON CONFLICT DO NOTHING"
)
