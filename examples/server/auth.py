"""Who is calling: a bearer token for each user, from the environment. Put your identity provider in its place.

TOKENS="secret-of-alex=alex,secret-of-bob=bob"
"""

import hmac
import os

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def who(authorization: str | None) -> Auth.types.MinimalUserDict:
    """The user whose token a request carries."""
    given = (authorization or "").removeprefix("Bearer ").encode()
    for pair in os.environ.get("TOKENS", "").split(","):
        token, _, user = pair.partition("=")
        if user and hmac.compare_digest(token.encode(), given):
            return {"identity": user}
    raise Auth.exceptions.HTTPException(status_code=401, detail="Which user? Send a bearer token.")


@auth.on
async def own(ctx: Auth.types.AuthContext, value: dict) -> Auth.types.FilterType:
    """Threads and runs are their user's: what is made is marked, and nothing else is shown."""
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}


@auth.on.assistants
async def anybodys(ctx: Auth.types.AuthContext, value: dict) -> bool:
    """The agents of this project are for all."""
    return True


@auth.on.store
async def nobodys(ctx: Auth.types.AuthContext, value: dict) -> bool:
    """Memories are reached through the agent, never through the server's own interface to its store."""
    return False
