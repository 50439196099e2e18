"""Experiments in other tools' forms: tables, Optuna's studies, MLflow, TensorBoard, old files."""
