-- Fields of what pcapsule writes about a packet: whose it is, which way it went, which process sent it.
-- Installed by `pcapsule wireshark install --profile`; `pcapsule wireshark uninstall` removes it.
--
-- Sources, in files of pcapsule alone: the name of the interface (`web/eth0`, `web@veth1a2b`), its description, the
-- direction among the packet's flags, its comment (words of key=value, in which %20 stands for a space), and the rows of
-- container events (entries of the systemd journal). Files of others get no field.

local pcapsule = Proto("pcapsule", "pcapsule")

local fields = {
    container = ProtoField.string("pcapsule.container", "Container"),
    cgroup = ProtoField.string("pcapsule.cgroup", "Cgroup"),
    direction = ProtoField.string("pcapsule.direction", "Direction", base.ASCII, "in or out, from the container's point of view"),
    place = ProtoField.string("pcapsule.place", "Place", base.ASCII, "container, veth, lo, cgroup or host: where it was heard"),
    tap = ProtoField.string("pcapsule.tap", "Interface", base.ASCII, "the interface there"),
    image = ProtoField.string("pcapsule.image", "Image"),
    engine = ProtoField.string("pcapsule.engine", "Engine"),
    network = ProtoField.string("pcapsule.network", "Network"),
    bridge = ProtoField.string("pcapsule.bridge", "Bridge"),
    process = ProtoField.string("pcapsule.process", "Process", base.ASCII, "the name of its command"),
    pid = ProtoField.uint32("pcapsule.pid", "Process id"),
    holders = ProtoField.uint32("pcapsule.holders", "Processes that hold the socket"),
    how = ProtoField.string("pcapsule.how", "Known from", base.ASCII, "created, connected, socket or listener"),
    known = ProtoField.bool("pcapsule.process.known", "Process known"),
    event = ProtoField.string("pcapsule.event", "Event"),
    message = ProtoField.string("pcapsule.message", "Message"),
}
for _, field in pairs(fields) do
    table.insert(pcapsule.fields, field)
end

local name_of = Field.new("frame.interface_name")
local description_of = Field.new("frame.interface_description")
local direction_of = Field.new("frame.packet_flags_direction")
local comment_of = Field.new("frame.comment")
local writer_of = Field.new("systemd_journal.syslog_id")
local message_of = Field.new("systemd_journal.message")
local key_of = Field.new("systemd_journal.field.name")
local value_of = Field.new("systemd_journal.field.value")

local DIRECTIONS = { [1] = "in", [2] = "out" }

-- What a journal entry of pcapsule has in fields of its own.
local OF_EVENTS = { CONTAINER_NAME = "container", PCAPSULE_EVENT = "event", PCAPSULE_ENGINE = "engine" }

-- What a comment's words are called here.
local OF_COMMENTS = { container = "container", cgroup = "cgroup", command = "process", pid = "pid", holders = "holders", how = "how" }

-- What follows from an interface's description: none where pcapsule has not written it.
local function described(name, description)
    local facts = {}
    local is_host = description:find(" of the host, net:%[%d+%]") ~= nil
    local is_group = description:find("^sockets of the cgroup ") ~= nil
    if not (is_host or description:find("sockets of the cgroup ") or description:find("net:%[%d+%]")) then
        return nil
    end
    if is_host then
        facts.place, facts.tap = "host", name
        return facts
    end
    local owner, tap = name:match("^(.*)/([^/]+)$")
    if owner then
        facts.place = (tap == "lo" or tap == "cgroup") and tap or "container"
    else
        owner, tap = name:match("^(.*)@([^@]+)$")
        facts.place = owner and "veth" or "host"
    end
    facts.tap = tap or name
    if not is_group then
        facts.container = owner
    end
    local part_number = 0
    for part in (description .. ", "):gmatch("(.-), ") do
        part_number = part_number + 1
        facts.image = facts.image or part:match("^image (.+)$")
        facts.network = facts.network or part:match("^network (.+)$")
        facts.bridge = facts.bridge or part:match("^%S+ on bridge (%S+)$")
        if part_number <= 2 and not part:find("^image ") and not part:find("^network ") then
            facts.engine = facts.engine or part:match("^([%w-]+) %S+$")
        end
    end
    return facts
end

local known_interfaces = {}

local function of_interface(name, description)
    local key = name .. "\0" .. description
    local facts = known_interfaces[key]
    if facts == nil then
        facts = described(name, description) or false
        known_interfaces[key] = facts
    end
    return facts
end

local function plain(word)
    return (word:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- The words of a comment; none if it is not one of ours, or somebody has written into it.
local function of_comment(comment)
    if not (comment:find("^container=") or comment:find("^cgroup=")) then
        return nil
    end
    local facts = {}
    for word in comment:gmatch("%S+") do
        local key, value = word:match("^(%l+)=(.*)$")
        if not key then
            return nil
        elseif key == "process" and value == "unknown" then
            facts.known = false
        elseif OF_COMMENTS[key] then
            facts[OF_COMMENTS[key]] = plain(value)
        end
    end
    if facts.known == nil then
        facts.known = facts.process ~= nil or facts.pid ~= nil
    end
    facts.pid, facts.holders = tonumber(facts.pid), tonumber(facts.holders)
    return facts
end

local function of_event()
    local writer = writer_of()
    if not writer or writer.value ~= "pcapsule" then
        return nil
    end
    local message = message_of()
    local facts = { message = message and message.value }
    local keys, values = { key_of() }, { value_of() }
    for number, key in ipairs(keys) do
        local fact = OF_EVENTS[key.value]
        if fact and values[number] then
            facts[fact] = values[number].value
        end
    end
    return facts
end

local ORDER = {
    "container", "cgroup", "event", "message", "direction", "place", "tap", "process", "pid", "holders", "how", "known",
    "image", "engine", "network", "bridge",
}

local function show(tree, facts)
    local subtree = tree:add(pcapsule):set_generated()
    local words = {}
    for _, key in ipairs({ "container", "cgroup", "direction", "process", "pid", "message" }) do
        if facts[key] then
            table.insert(words, tostring(facts[key]))
        end
    end
    subtree:set_text("pcapsule: " .. table.concat(words, ", "))
    for _, key in ipairs(ORDER) do
        if facts[key] ~= nil then
            subtree:add(fields[key], facts[key]):set_generated()
        end
    end
end

function pcapsule.dissector(_, _, tree)
    local event = of_event()
    if event then
        show(tree, event)
        return
    end
    local name, description = name_of(), description_of()
    local of_tap = name and description and of_interface(name.value, description.value)
    if not of_tap then
        return
    end
    local facts = setmetatable({}, { __index = of_tap })
    local direction = direction_of()
    facts.direction = direction and DIRECTIONS[direction.value]
    for _, comment in ipairs({ comment_of() }) do
        for key, value in pairs(of_comment(comment.value) or {}) do
            facts[key] = value
        end
    end
    show(tree, facts)
end

register_postdissector(pcapsule)
