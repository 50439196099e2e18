"""Serves recommendations of a saved model over HTTP, with FastAPI.

Run it with:

    pip install 'fastapi' 'uvicorn'
    CMN_MODEL=model uvicorn --app-dir packages/cmn/examples serve:app

    curl 'localhost:8000/recommendations/42?n=5'
    curl -X POST localhost:8000/visitors -H 'content-type: application/json' \
         -d '{"items": [1, 17, 23], "n": 5}'
    curl 'localhost:8000/explanations/42/17'
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from cmn import CMN, CMNError, from_pairs

Count = Annotated[int, Query(ge=1, le=100)]


class Visit(BaseModel):
    """Someone the model has not seen, by the items they liked."""

    items: list[int | str] = Field(min_length=1, max_length=1000)
    n: int = Field(default=10, ge=1, le=100)


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Loads the model once, before the first request."""
    application.state.model = await run_in_threadpool(CMN.load, os.environ["CMN_MODEL"])
    yield


app = FastAPI(title="Recommendations", lifespan=lifespan)


@app.exception_handler(CMNError)
def refuse(_request: Request, error: CMNError) -> JSONResponse:
    """Answers a mistake in the request with its one sentence."""
    return JSONResponse({"detail": str(error)}, status_code=422)


def known(labels: np.ndarray, text: str) -> Any:
    """Returns the id that a part of the path stands for, in the type of the model's ids."""
    if labels.dtype == object:
        return text
    try:
        return np.array([text]).astype(labels.dtype)[0]
    except ValueError as error:
        raise HTTPException(404, f"{text!r} is no id of this model") from error


def rows(ids: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
    """Returns one user's recommendations as JSON values."""
    there = np.isfinite(scores)
    pairs = zip(ids[there].tolist(), scores[there].tolist(), strict=True)
    return [{"item": item, "score": score} for item, score in pairs]


@app.get("/health")
def health(request: Request) -> dict[str, int]:
    """Returns the size of the model that is being served."""
    users, items = request.app.state.model.train_matrix.shape
    return {"users": users, "items": items}


@app.get("/recommendations/{user}")
def recommend(user: str, request: Request, n: Count = 10) -> list[dict[str, Any]]:
    """Returns the best items for a user, best first."""
    model: CMN = request.app.state.model
    ids, scores = model.recommend([known(model.interactions.user_ids, user)], n=n)
    return rows(ids[0], scores[0])


@app.post("/visitors")
def visit(visitor: Visit, request: Request) -> list[dict[str, Any]]:
    """Returns the best items for someone who was not there at training."""
    model: CMN = request.app.state.model
    history = from_pairs(["visitor"] * len(visitor.items), visitor.items)
    ids, scores = model.fold_in(history).recommend(["visitor"], n=visitor.n)
    return rows(ids[0], scores[0])


@app.get("/explanations/{user}/{item}")
def explain(user: str, item: str, request: Request, top: Count = 10) -> dict[str, Any]:
    """Returns which users of an item spoke for it."""
    model: CMN = request.app.state.model
    data = model.interactions
    explanation = model.explain(known(data.user_ids, user), known(data.item_ids, item))
    return explanation.to_dict(top)
