-- The reasons of Ready for which a person is needed. They are told by name, as Stalled is not there while trouble that will
-- pass keeps the operator from looking again.
local degraded = {
  AdoptionRefused = true,
  AmbiguousMatch = true,
  ConnectorMismatch = true,
  ConnectorNotFound = true,
  CredentialsUnavailable = true,
  DeletedExternally = true,
  DuplicateDomain = true,
  HeldByExternalChange = true,
  Rejected = true,
  Unauthorized = true,
  VerificationFailed = true,
  VerificationLapsed = true,
  ZoneNotFound = true,
}

local function health(status, message)
  return { status = status, message = message }
end

local function condition(kind)
  local conditions = obj.status ~= nil and obj.status.conditions or {}
  for _, candidate in ipairs(conditions) do
    if candidate.type == kind then
      return candidate
    end
  end
  return nil
end

local ready = condition("Ready")
local reconciling = condition("Reconciling")
local stalled = condition("Stalled")

-- Before the generation: without an operator nobody looks at an object, and suspended it is what it shall be.
if obj.spec.suspend then
  if ready ~= nil and ready.reason == "Suspended" then
    return health("Suspended", ready.message)
  end
  return health("Suspended", "The connector is left alone, as spec.suspend is true.")
end

if ready == nil then
  return health("Progressing", "Waiting for cloudflare-sso-operator")
end

-- Trouble that will pass leaves the generation as it was: if the spec did not change meanwhile, what was found stays, and if
-- it did, it is still to be looked at, and Reconciling says what is in the way.
if obj.status.observedGeneration ~= obj.metadata.generation then
  if reconciling ~= nil and reconciling.observedGeneration == obj.metadata.generation then
    return health("Progressing", reconciling.message)
  end
  if ready.observedGeneration == nil then
    return health("Progressing", ready.message)
  end
  return health("Progressing", "Waiting for cloudflare-sso-operator to look at the new spec")
end

if ready.status == "True" then
  return health("Healthy", ready.message)
end

-- What Observe finds is an answer, not a failure.
if ready.reason == "DriftObserved" then
  return health("Healthy", ready.message)
end
if ready.reason == "ConnectorNotFound" and obj.spec.managementPolicy == "Observe" then
  return health("Healthy", ready.message)
end

-- It takes a person to publish the record, which the message carries, unless the operator publishes it.
local publishes = obj.spec.dns ~= nil and obj.spec.managementPolicy ~= "Observe"
if ready.reason == "AwaitingVerification" and not publishes then
  return health("Suspended", ready.message)
end

-- Stalled also tells the reasons of later versions.
if degraded[ready.reason] or stalled ~= nil then
  return health("Degraded", ready.message)
end

return health("Progressing", ready.message)
