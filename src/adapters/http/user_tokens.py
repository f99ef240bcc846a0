"""Bearer tokens in a user's name."""

from collections import OrderedDict
from datetime import datetime, timedelta

import jwt

from ports.clock import Clock

_LIFETIME = timedelta(minutes=5)
_KEEP = timedelta(minutes=2)


class UserTokens:
    """Signs a token per user and keeps it briefly, since signing costs as much as a small request.

    Claims: compat/outgoing.md, "add_graph_execution". No `iat`: a receiver whose clock is behind would refuse it.
    """

    def __init__(self, *, secret: str, clock: Clock, most_kept: int = 10_000) -> None:
        if not secret:
            raise ValueError("the REST receiver needs the secret that signs users' tokens (SUPABASE_JWT_SECRET)")
        self._secret = secret
        self._clock = clock
        self._most_kept = most_kept
        self._kept: OrderedDict[str, tuple[datetime, str]] = OrderedDict()

    def token(self, user_id: str) -> str:
        """Return a token for `user_id`, good for three minutes at least."""
        now = self._clock.now()
        kept = self._kept.get(user_id)
        # A clock set back makes a kept token look young: one from the future is signed anew.
        if kept is not None and now - _KEEP < kept[0] <= now:
            return kept[1]
        claims = {"aud": "authenticated", "sub": user_id, "role": "authenticated", "exp": now + _LIFETIME}
        token = jwt.encode(claims, self._secret, algorithm="HS256")
        self._kept[user_id] = (now, token)
        self._kept.move_to_end(user_id)
        if len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)
        return token
