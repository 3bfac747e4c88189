-- UpdateCustomerLog calls for wrk: each changes logs chosen at random, so each writes revisions.
-- Arguments: json or xml, items in a call, logs there are, the key, a number of this run of wrk, a file
-- of changes (Status, DateRequiredFollowUp, Notes), ms that a connection rests between calls (0: none),
-- key: each call has an Idempotency-Key, which no other has.

local formats = {
  json = {
    accept = 'application/json',
    head = '{"CustomerLogs":{"CustomerLog":[',
    item = '{"LogID":"%d","AllocatedTo":"Anna","DateRequiredFollowUp":"%s","Status":"%s","Notes":"%s"}',
    between = ',',
    tail = ']}}',
    success = '"Ack":"Success"',
  },
  xml = {
    accept = 'text/xml',
    head = '<?xml version="1.0" encoding="utf-8"?><UpdateCustomerLog><CustomerLogs>',
    item = '<CustomerLog><LogID>%d</LogID><AllocatedTo>Anna</AllocatedTo>'
      .. '<DateRequiredFollowUp>%s</DateRequiredFollowUp><Status>%s</Status><Notes>%s</Notes></CustomerLog>',
    between = '',
    tail = '</CustomerLogs></UpdateCustomerLog>',
    success = '<Ack>Success</Ack>',
  },
}

local format, items, logs, run, with_key
local changes = {}
local sent = 0
acknowledged = 0 -- global, and so are the functions: wrk finds them by name

local function item()
  sent = sent + 1
  local change = changes[math.random(#changes)]
  local notes = string.format('%s %d-%d', change.notes, run, sent) -- so that each call changes something
  return string.format(format.item, math.random(logs), change.day, change.status, notes)
end

function init(arguments)
  format, items, logs = formats[arguments[1]], tonumber(arguments[2]), tonumber(arguments[3])
  run = tonumber(arguments[5])
  with_key = arguments[8] == 'key'
  for line in io.lines(arguments[6]) do
    local status, day, notes = line:match('(.*)\t(.*)\t(.*)')
    changes[#changes + 1] = { status = status, day = day, notes = notes }
  end
  local rest = tonumber(arguments[7])
  if rest > 0 then
    delay = function() -- wrk asks, if there is one; so the calls come at random moments
      return math.floor(-math.log(1 - math.random()) * rest + 0.5)
    end
  end
  math.randomseed(run)
  wrk.method = 'POST'
  wrk.headers['NETOAPI_ACTION'] = 'UpdateCustomerLog'
  wrk.headers['NETOAPI_KEY'] = arguments[4]
  wrk.headers['Accept'] = format.accept
end

function request()
  local written = {}
  for n = 1, items do
    written[n] = item()
  end
  if with_key then
    wrk.headers['Idempotency-Key'] = string.format('%08d-0000-4000-8000-%012d', run, sent)
  end
  return wrk.format(nil, nil, nil, format.head .. table.concat(written, format.between) .. format.tail)
end

function response(status, _, body)
  if status == 200 and body:find(format.success, 1, true) then
    acknowledged = acknowledged + 1
  end
end

local the_thread
function setup(thread)
  the_thread = thread
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "acknowledged": %d, "lost": %d, "seconds": %f, "p50": %f, "p99": %f}',
    summary.requests, the_thread:get('acknowledged'),
    errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
