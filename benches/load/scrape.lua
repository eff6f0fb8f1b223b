-- The page of metrics; the argument is the coding that is accepted, if any.
wrk.path = "/metrics"

function init(args)
  if args[1] then
    wrk.headers["Accept-Encoding"] = args[1]
  end
end

function request()
  return wrk.format()
end
