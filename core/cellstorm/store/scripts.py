"""The Lua scripts: each is one step that happens wholly or not at all."""

from __future__ import annotations

from typing import Final

_EVENT: Final = """
local function event(key, what)
  redis.call('XADD', key, 'MAXLEN', '~', 1000, '*', 'what', what)
end
"""

PUT_CHUNK: Final = (
    _EVENT
    + """
-- KEYS state, pending, chunk, events
-- ARGV number, bytes, frames, lost, damaged, next_frame, budget, now, payload, first_frame
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'failed' or state == 'cancelled' then return 'gone' end
local expected = tonumber(redis.call('HGET', KEYS[1], 'chunks_received') or '0')
local number = tonumber(ARGV[1])
if number < expected then return 'known' end
if number > expected then return 'early' end
local waiting = tonumber(redis.call('HGET', KEYS[1], 'waiting_chunk_bytes') or '0')
-- A chunk larger than the whole budget may wait alone, else it could never pass.
if waiting > 0 and waiting + tonumber(ARGV[2]) > tonumber(ARGV[7]) then return 'full' end
redis.call('SET', KEYS[3], ARGV[9])
redis.call('ZADD', KEYS[2], ARGV[8], ARGV[1])
redis.call('HINCRBY', KEYS[1], 'chunks_received', 1)
redis.call('HINCRBY', KEYS[1], 'waiting_chunk_bytes', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'frames_received', ARGV[3] + ARGV[5])
-- Frames between the chunk before and this one never came: the phone's link was lost.
local gap = tonumber(ARGV[10]) - tonumber(redis.call('HGET', KEYS[1], 'next_frame') or '0')
redis.call('HINCRBY', KEYS[1], 'frames_lost', ARGV[4] + math.max(0, gap))
redis.call('HINCRBY', KEYS[1], 'frames_damaged', ARGV[5])
redis.call('HSET', KEYS[1], 'next_frame', ARGV[6])
event(KEYS[4], 'chunk')
return 'stored'
"""
)

LEASE: Final = """
-- KEYS state, pending, attempts, progress; ARGV number, until, begin (1 when a worker begins, 0 when it goes on), now
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return -1 end
local state, paused = unpack(redis.call('HMGET', KEYS[1], 'state', 'paused_at'))
if state == 'failed' or state == 'cancelled' or (paused and paused ~= '') then return -1 end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
if ARGV[3] == '0' then return tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or '0') end
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('RPUSH', KEYS[4], ARGV[4] .. ' 0') end
return redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
"""

COMMIT: Final = (
    _EVENT
    + """
-- KEYS state, pending, attempts, chunk, commits, widefield, events, progress, maps
-- ARGV number, first_frame, end_frame, frames, damaged, rows (count), now, received_at, widefield version, widefield, rows, left_out,
--   maps
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 'duplicate' end
local version = redis.call('HGET', KEYS[1], 'widefield_version') or '0'
if ARGV[9] ~= version then return 'conflict' end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HINCRBY', KEYS[1], 'waiting_chunk_bytes', -redis.call('STRLEN', KEYS[4]))
redis.call('DEL', KEYS[4])
if #ARGV[10] > 0 then
  redis.call('SET', KEYS[6], ARGV[10])
  redis.call('HINCRBY', KEYS[1], 'widefield_version', 1)
  if #ARGV[13] > 0 then redis.call('SET', KEYS[9], ARGV[13]) end
end
redis.call('XADD', KEYS[5], '*', 'chunk', ARGV[1], 'first_frame', ARGV[2], 'end_frame', ARGV[3],
  'frames', ARGV[4], 'count', ARGV[6], 'rows', ARGV[11])
redis.call('HINCRBY', KEYS[1], 'chunks_processed', 1)
redis.call('HINCRBY', KEYS[1], 'frames_processed', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'frames_damaged', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'frames_left_out', ARGV[12])
redis.call('HINCRBY', KEYS[1], 'localizations', ARGV[6])
if tonumber(ARGV[8]) > tonumber(redis.call('HGET', KEYS[1], 'newest_received_at') or '0') then
  redis.call('HSET', KEYS[1], 'newest_received_at', ARGV[8])
end
redis.call('HSET', KEYS[1], 'last_commit_at', ARGV[7])
local done = redis.call('HINCRBY', KEYS[1], 'frames_done', ARGV[4] + ARGV[5] + ARGV[12])
if redis.call('RPUSH', KEYS[8], ARGV[7] .. ' ' .. done) > 256 then
  -- Of the older half every second entry is left: the past is told in coarser steps.
  local all = redis.call('LRANGE', KEYS[8], 0, -1)
  redis.call('DEL', KEYS[8])
  for i = 1, #all do
    if i % 2 == 1 or i > 128 then redis.call('RPUSH', KEYS[8], all[i]) end
  end
end
event(KEYS[7], 'commit')
return 'committed'
"""
)

SET_FIELDS: Final = (
    _EVENT
    + """
-- KEYS state, events; ARGV required state ('' for any), then field, value, ...
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'gone' end
if ARGV[1] ~= '' and ARGV[1] ~= state then return state end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
event(KEYS[2], 'state')
return 'set'
"""
)

LET_OPEN: Final = """
-- KEYS what it opens; ARGV digest, how many further ones are kept
-- Answers with those that open it no longer; with nil where it is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
local first, others = unpack(redis.call('HMGET', KEYS[1], 'token_digest', 'further_tokens'))
if not first or first == '' then
  redis.call('HSET', KEYS[1], 'token_digest', ARGV[1])
  return {}
end
if first == ARGV[1] then return {} end
local further = {}
for digest in string.gmatch(others or '', '%S+') do
  if digest == ARGV[1] then return {} end
  table.insert(further, digest)
end
table.insert(further, ARGV[1])
local surplus = {}
while #further > tonumber(ARGV[2]) do table.insert(surplus, table.remove(further, 1)) end
redis.call('HSET', KEYS[1], 'further_tokens', table.concat(further, ' '))
return surplus
"""

DELETE: Final = """
-- KEYS state, pending, what else is to go ...; ARGV prefix of chunk keys; answers with what was listed of its tokens
local tokens = redis.call('HMGET', KEYS[1], 'token_digest', 'further_tokens')
for _, number in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do redis.call('DEL', ARGV[1] .. number) end
for i = 1, #KEYS do redis.call('DEL', KEYS[i]) end
return tokens
"""

REMOVE_WORK: Final = (
    _EVENT
    + """
-- KEYS state, events, pending, what else is to go ...; ARGV required state, new state, prefix of chunk keys, fields to go ...
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'gone' end
if ARGV[1] ~= state then return state end
for _, number in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do redis.call('DEL', ARGV[3] .. number) end
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
for i = 4, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('HSET', KEYS[1], 'state', ARGV[2])
event(KEYS[2], 'state')
return 'set'
"""
)
