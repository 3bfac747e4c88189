-- UpdateCustomerLog calls for wrk: each changes logs chosen at random, so each writes revisions.
-- Arguments: json or xml, items in a call, logs there are, the key, a number of this run of wrk.

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
local statuses = { 'Require Recontact', 'Recontacting', 'Completed' }

local format, items, logs, run
local sent = 0
acknowledged = 0 -- global, and so are the functions: wrk finds them by name

local function item()
  sent = sent + 1
  local day = string.format('2031-%02d-%02d', sent % 12 + 1, sent % 28 + 1)
  local notes = string.format('Call %d.%d: asked for a quote on 40 chairs', run, sent)
  return string.format(format.item, math.random(logs), day, statuses[sent % 3 + 1], notes)
end

function init(arguments)
  format, items, logs = formats[arguments[1]], tonumber(arguments[2]), tonumber(arguments[3])
  run = tonumber(arguments[5])
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
