"""The event store in a Redis server: what `serving.state.protocol` asks for, for several machines.

A write is one Lua script (`scripts/`), which Redis carries out as a whole. All keys begin with a prefix:

| key | |
|---|---|
| `schema` | the version of this table |
| `number` | the number of the event that arrived last |
| `k:<2 bytes>` | hash: the rest of the digest of an event's key → empty. Small hashes are small in memory |
| `e:<user key>` | hash: an event's id → its row, see `rows` |
| `t:<user key>` | sorted set: ids of item events by their time |
| `n:<user key>` | list: ids of item events in the order of arrival |
| `active` | sorted set: user keys by the latest time of an item event, negative |
| `i:<item id>` | hash: column → JSON, and under the empty name state, number and time of the last change |
| `items`, `item_number` | sorted set: item ids by the number of their last change; the last number |
| `users` | hash: user key → attributes as JSON |
| `user_changes`, `change_number` | sorted set: whose events changed, by number; the last number |
| `suppressed`, `salt` | hash: hash of a user key → reason and time; the salt of these hashes |
| `imports` | hash: fingerprint of imported tables → number of events |
| `marks` | hash: what the log remembers of itself → number |
| `erased`, `rewritten` | how often something was deleted, now and when the file was last rewritten |
| `probe` | what is written to know whether anything can be |

An id is the event's number as 6 bytes, the highest first: ids sort as numbers do.
"""
