"""For every test: no event loop but those that tests run in."""

import asyncio

# pytest-asyncio looks for a loop before it makes its own. Python before 3.14 then makes one that nobody
# closes, unless it was told once that there is none.
asyncio.set_event_loop(None)
