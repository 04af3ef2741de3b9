-- Sends random requests from a file with one body per line. Prints one line of JSON at the end.
local requests = {}

function init(args)
  math.randomseed(tonumber(args[2]))
  local headers = { ['content-type'] = 'application/json', ['accept'] = 'application/json' }
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format('POST', nil, headers, body)
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"bytes":%d,"p50Us":%d,"p99Us":%d,"failed":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
