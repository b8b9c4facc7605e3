# What a Ruby client of the Users API does: every method that its version has, given what it should be given and given what should
# be refused.
#
#   ruby users_api.rb VERSION URL MANAGEMENT_KEY
#
# VERSION is 2.4.1 or 1.5.0. The key must be one for all realms: the walk makes a realm of its own, and deletes it. Prints a line for
# each check that fails, and the count; ends non-zero where one did.
require_relative "client"

version, url, key = ARGV
old = version.start_with?("1.")

methods = %w[
  User.all User.first User.find User.create User#update User#update_password User#delete User.authenticate User.authenticate_key
  User.generate_password_token User.reset_password_with_token User#credentials User#memberships User#orgs User#events User#sessions
  Credential.find Credential.create Credential#update Credential#delete
  Session.all Session.find Session.create Session#delete Session.from_token
  Org.all Org.find Org.create Org#update Org#delete Org#memberships Org#users Org#events Membership.all Membership.find Membership.create Membership#update Membership#delete
  Membership#events
  Realm.all Realm.find Realm.create Realm#update Realm#delete Realm#reset! Realm#users Realm#orgs Realm#events
  Realm#app_hooks Realm#auth_providers Realm#login_policies Event.all Event.find Event#notifications
  AppHook.all AppHook.find AppHook.create AppHook#update AppHook#delete AppHook#events
  AuthProvider.all AuthProvider.find AuthProvider.create AuthProvider#update AuthProvider#delete
  AuthProvider.authorize_urls AuthProvider.authorize_url AuthProvider.authorize
  LoginPolicy.all LoginPolicy.find LoginPolicy.create LoginPolicy#update LoginPolicy#delete LoginPolicy#events UserToken.find UserToken.create
]
methods += old ? %w[Event.validate_token Event#ip Session#ip Session#client] : %w[AuthProvider#authorize_token User.authenticate_code User#request_email_verification User#verify_email Credential#verify JwtKey.all JwtKey.find JwtKey.create JwtKey#delete]
walk = Walk.new("ruby #{version}", methods)

password = "four words make it long"
missing = ->(prefix) { "#{prefix}_0000000000000000000000" }
ids = ->(list) { list.map { |one| one["id"] } }

# Realms, by a client that names none.
admin = Client.new(version, url, key, nil)
realms = Resource.new(admin, "realms", :realm)
realm = realms.create({ name: "Ruby #{Process.pid}" })
walk.good "Realm.create", "a new realm", realm.values_at("object", "jwt_algo", "session_minutes", "session_type", "api_key_policy"), ["realm", "HS256", 360, "managed", "hash"]
walk.bad "Realm.create", "a realm without a name", realms.create({ name: "" })["errors"], Array
walk.good "Realm.find", "by id", realms.find(realm["id"])["jwt_key"], realm["jwt_key"]
walk.bad "Realm.find", "no such realm", raises { realms.find(missing["rl"]) }, RecordNotFound
walk.good "Realm.all", "the realm is there", ids[realms.all].include?(realm["id"]), true
walk.bad "Realm.all", "a bad key", raises { Resource.new(Client.new(version, url, "ko_nothing", nil), "realms", :realm).all }, AccessDenied
walk.good "Realm#update", "custom attributes", realms.update(realm["id"], { custom: { "tier" => 1 } })["custom"], { "tier" => 1 }
walk.bad "Realm#update", "a policy that is none", realms.update(realm["id"], { jwt_algo: "none" })["errors"], Array

c = Client.new(version, url, key, realm["id"])
users = Resource.new(c, "users", :user)
credentials = Resource.new(c, "credentials", :credential)
sessions = Resource.new(c, "sessions", :session)
events = Resource.new(c, "events", :event)
kinds_of = ->(query) { events.all(query).map { |one| query.all? { |name, id| one[name.to_s] == id } ? one["event_type"] : one } }

# A user, from the cradle on.
name = "Dave+Tag@example.com"
person = ->(more) { { user_type: "human", password: password, password_confirmation: password }.merge(more) }
walk.bad "User.create", "nothing", users.create({ user_type: "human" })["errors"].first, "Username can't be blank"
user = users.create(person[username: name, email: "Dave@Example.com", first_name: "Dave", last_name: "Young", reference: "REF", custom: { "Great_scott" => [1, nil] }],
                    { ip: "10.0.0.1", client: "App" })
walk.good "User.create", "status", c.last.code, "201"
walk.good "User.create", "fields", user.keys.sort, %w[created_at credentials custom email email_verification first_name id last_login_at last_name membership_count
                                                      name object realm_id reference state user_type username]
walk.good "User.create", "created_at and last_login_at", [user["created_at"].class, user["last_login_at"]], [Float, nil]
walk.good "User.create", "lower case", user.values_at("username", "email"), [name.downcase, "dave@example.com"]
walk.good "User.create", "credential", user["credentials"].map { |one| [one["id"][0, 4], one["credential_type"], one["object"]] }, [["crd_", "password", "credential"]]
walk.good "User.create", "the request", events.all({ user_id: user["id"] }).last["request"], { "ip" => "10.0.0.1", "client" => "App" }
walk.bad "User.create", "a username twice", users.create(person[username: name, email: "b@example.com"])["errors"], Array
walk.bad "User.create", "a confirmation that differs", users.create(person[username: "x", email: "x@example.com", password_confirmation: "y"])["errors"], ["Password confirmation does not match"]
[user["id"], name, name.upcase].each { |one| walk.good "User.find", one, users.find(one)["id"], user["id"] }
walk.good "User.find", "expand", users.find(user["id"], { expand: ["memberships"] })["memberships"], []
walk.good "User.find", "a request that these clients spell in Ruby", users.find(user["id"], { request: { ip: "10.0.0.1" } })["id"], user["id"]
walk.good "User#credentials", "of one from a list, which is asked for anew", users.find(users.first["id"])["credentials"].map { |one| one.values_at("id", "object") }, [[user["credentials"].first["id"], "credential"]]
walk.bad "User#credentials", "of nobody", raises { users.find(missing["usr"])["credentials"] }, RecordNotFound
["-", "nobody", "nobody@example.com", missing["usr"]].each { |one| walk.bad "User.find", one, raises { users.find(one) }, RecordNotFound }
walk.good "User.all", "with custom", users.all({ reference: "REF", expand: "custom" }).map { |one| one.values_at("id", "custom") }, [[user["id"], { "Great_scott" => [1, nil] }]]
walk.good "User.all", "fields", users.all.first.keys.length, 14
walk.good "User.all", "every parameter", ids[users.all({ reference: "REF", state: "active", user_type: "human", sort: "name_alt", direction: "desc", max_results: 1 })], [user["id"]]
walk.bad "User.all", "a sort that is none", users.all({ sort: "age" })["errors"], Array
walk.good "User.first", "the first", users.first({ realm_id: realm["id"] })["id"], user["id"]
walk.bad "User.first", "nobody", users.first({ reference: "nothing" }), nil
walk.good "Realm#users", "by a client that names no realm", ids[Resource.new(admin, "users", :user).all({ realm_id: realm["id"] })], [user["id"]]
walk.bad "Realm#users", "of a realm that is none", raises { Resource.new(admin, "users", :user).all({ realm_id: missing["rl"] }) }, RecordNotFound
walk.good "User#update", "names", users.update(name, { first_name: "Ann", last_name: "Smith", custom: {} }).values_at("name", "custom"), ["Ann Smith", {}]
walk.good "User#update", "what was read, sent back", users.update(user["id"], users.find(user["id"]))["id"], user["id"]
walk.good "User#update", "with a request", [users.update(user["id"], { reference: "REF" }, { ip: "10.0.0.9" })["reference"], events.all({ user_id: user["id"] }).first["request"]["ip"]], ["REF", "10.0.0.9"]
walk.bad "User#update", "a blank username", users.update(user["id"], { username: "" })["errors"], ["Username can't be blank"]
walk.bad "User#update", "nobody", raises { users.update("nobody", { first_name: "X" }) }, RecordNotFound

mary = users.create(person[username: "Mary Ann", email: "mary@example.com"])
walk.good "User.find", "a space, which these clients escape as a plus", users.find("Mary Ann").values_at("id", "username"), [mary["id"], "mary ann"]
users.delete("mary ann")

# Signing in.
authenticate = ->(who, what, more = {}, request = nil) { users.ask("#{CGI.escape(who)}/authenticate", more.merge(password: what), request) }
signed = authenticate[name, password, { expand: "memberships" }, { ip: "10.0.0.2", client: "Browser" }]
walk.good "User.authenticate", "fields", [signed["id"], signed["memberships"], signed["token"].class], [user["id"], [], String]
claims = decode(signed["token"], realm["jwt_key"], within: 60)
walk.good "Session.from_token", "claims", claims&.values_at("uid", "un", "fn", "ln", "n", "aud"), [user["id"], name.downcase, "Ann", "Smith", "Ann Smith", realm["id"]]
walk.good "Session.from_token", "tk, iat, exp", claims && [claims["tk"][0, 4], claims["iat"].class, claims["exp"] - claims["iat"]], ["kss_", Integer, 360 * 60]
walk.bad "Session.from_token", "another secret", decode(signed["token"], "jsk_other"), nil
walk.bad "Session.from_token", "too old", decode(signed["token"], realm["jwt_key"], within: -60), nil
walk.bad "Session.from_token", "nonsense", decode("x.y.z", realm["jwt_key"]), nil
walk.bad "User.authenticate", "a wrong password", raises { authenticate[name, "wrong"] }, AuthenticationFailed
walk.bad "User.authenticate", "nobody", raises { authenticate["nobody", "wrong"] }, RecordNotFound
session = sessions.find(signed["token"])
walk.good "Session.find", "by token", [session["id"], session["user"]["id"], session["user"]["object"], session["request"], session["expires_at"]],
          [claims["tk"], user["id"], "user", { "ip" => "10.0.0.2", "client" => "Browser" }, claims["exp"]]
if old
  walk.good "Session#ip", "where it began", session["ip"], "10.0.0.2"
  walk.good "Session#client", "what began it", session["client"], "Browser"
  walk.good "Event#ip", "where it began", events.first({ user_id: user["id"], event_type: "user.login.succeeded" })["ip"], "10.0.0.2"
end
walk.good "Session.find", "by id", sessions.find(claims["tk"])["user_id"], user["id"]
walk.bad "Session.find", "a changed token", raises { sessions.find("#{signed["token"]}x") }, RecordNotFound
walk.good "Session.all", "of a user", ids[sessions.all({ user_id: user["id"] })], [claims["tk"]]
walk.bad "Session.all", "of nobody", raises { sessions.all({ user_id: missing["usr"] }) }, RecordNotFound
walk.good "User#sessions", "of a user", ids[sessions.all({ user_id: user["id"], sort: "id", direction: "desc" })], [claims["tk"]]
walk.bad "User#sessions", "a bad sort", sessions.all({ user_id: user["id"], sort: "age" })["errors"], Array
made = sessions.create({ user_id: user["id"] }, { ip: "10.0.0.3" })
walk.good "Session.create", "made", [c.last.code, made["object"], made["request"]["ip"], decode(made["token"], realm["jwt_key"])&.fetch("tk")], ["201", "session", "10.0.0.3", made["id"]]
if old
  bare = sessions.create({ user_id: user["id"] })
  walk.bad "Session#ip", "nobody said where", bare.fetch("ip"), nil
  walk.bad "Session#client", "nobody said what", bare.fetch("client"), nil
  walk.bad "Event#ip", "nobody said where", events.first({ user_id: user["id"] }).fetch("ip"), nil
  sessions.delete(bare["id"])
end
walk.bad "Session.create", "for nobody", raises { sessions.create({ user_id: missing["usr"] }) }, RecordNotFound
walk.good "Session#delete", "ended", [sessions.delete(made["id"]), raises { sessions.find(made["id"]) }], [{}, RecordNotFound]
walk.bad "Session#delete", "again", raises { sessions.delete(made["id"]) }, RecordNotFound
if old
  told = c.get("events/login/#{CGI.escape(signed["token"])}")
  walk.good "Event.validate_token", "the sign-in", told.values_at("object", "event_type", "user_id", "realm_id"), ["event", "user.login.succeeded", user["id"], realm["id"]]
  walk.good "Event.validate_token", "its user", told["user"]&.values_at("object", "id", "username"), ["user", user["id"], name.downcase]
  walk.bad "Event.validate_token", "nonsense", raises { c.get("events/login/nonsense") }, RecordNotFound
end

# Passwords.
change = ->(current, fresh, confirmation) { users.act(user["id"], "update_password", { current_password: current, password: fresh, password_confirmation: confirmation }, nil, :put) }
walk.bad "User#update_password", "confirmation", change[password, "#{password}1", "x"]["errors"], ["Password confirmation does not match"]
walk.bad "User#update_password", "current password", change["wrong", "#{password}1", "#{password}1"]["errors"], ["Current password does not match"]
walk.bad "User#update_password", "a short one", change[password, "short", "short"]["errors"], Array
walk.good "User#update_password", "done, with nothing to parse", [change[password, "#{password}1", "#{password}1"], c.last.code, c.last["Content-Type"]], [{}, "204", nil]
token_for = ->(who, request = nil) { users.ask("#{CGI.escape(who)}/generate_password_token", {}, request) }
reset = token_for[name, { ip: "127.0.0.1" }]
walk.good "User.generate_password_token", "fields", [reset.keys.sort, reset["password_reset_token"]&.slice(0, 4)], [%w[id object password_reset_token realm_id token username], "kpw_"]
walk.bad "User.generate_password_token", "nobody", raises { token_for["nobody"] }, RecordNotFound
spend = ->(who, token, fresh) { users.act(who, "reset_password_with_token", { token: token, password: fresh, password_confirmation: fresh }) }
walk.bad "User.reset_password_with_token", "a short one", spend[name, reset["password_reset_token"], "short"]["errors"], Array
walk.good "User.reset_password_with_token", "done", spend[old ? name : "--", reset["password_reset_token"], password]["id"], user["id"]
walk.bad "User.reset_password_with_token", "again", raises { spend[name, reset["password_reset_token"], password] }, RecordNotFound
walk.bad "User.reset_password_with_token", "no such token", raises { spend["--", "kpw_nothing", password] }, RecordNotFound
first, second = token_for[name], token_for[name]
walk.bad "User.reset_password_with_token", "an older token", raises { spend[name, first["password_reset_token"], password] }, RecordNotFound
authenticate[name, password]
walk.bad "User.reset_password_with_token", "after signing in with the old password", raises { spend[name, second["password_reset_token"], password] }, RecordNotFound

# E-mail addresses, and second factors.
unless old
  ask_mail = -> { users.ask("#{user["id"]}/request_email_verification", {}, { ip: "127.0.0.1" }) }
  mail, other = ask_mail.call, ask_mail.call
  walk.good "User#request_email_verification", "fields", [mail.keys.sort, mail["token"]&.slice(0, 3)], [%w[email id object realm_id token username], "kv_"]
  walk.good "User#request_email_verification", "state", users.find(user["id"])["email_verification"], "requested"
  walk.bad "User#request_email_verification", "nobody", raises { users.ask("#{missing["usr"]}/request_email_verification", {}) }, RecordNotFound
  verify = ->(token) { users.act(user["id"], "verify_email", { token: token }, { ip: "127.0.0.1" }) }
  walk.good "User#verify_email", "done", verify[mail["token"]]["email_verification"], "verified"
  walk.bad "User#verify_email", "again", verify[mail["token"]]["errors"], ["Verification token already used"]
  walk.bad "User#verify_email", "another that was pending", verify[other["token"]]["errors"], Array
  walk.bad "User#verify_email", "no such token", verify["kv_nothing"]["errors"], Array

  enrolled = credentials.create({ user_id: user["id"], credential_type: "totp", name: "Phone" })
  walk.good "Credential.create", "an authenticator", [enrolled["state"], enrolled["provisioning_uri"]&.slice(0, 15)], ["new", "otpauth://totp/"]
  walk.bad "Credential#verify", "a wrong code", credentials.act(enrolled["id"], "verify", { code: "000000" })["errors"], ["Verification failed"]
  walk.good "Credential#verify", "a good code", credentials.act(enrolled["id"], "verify", { code: totp(enrolled["otp_secret"]) })["state"], "active"
  half = authenticate[name, password]["token"]
  walk.good "User.authenticate", "half way", half[0, 4], "kli_"
  code = ->(who, token, digits) { users.act(who, "authenticate_code", { token: token, code: digits }, { ip: "127.0.0.1" }) }
  walk.bad "User.authenticate_code", "a wrong code", raises { code[name, half, "000000"] }, AuthenticationFailed
  walk.bad "User.authenticate_code", "no such token", raises { code["--", "kli_nothing", "000000"] }, RecordNotFound
  whole = code["--", half, totp(enrolled["otp_secret"], 1)] # the next: each is good once
  walk.good "User.authenticate_code", "signed in", [whole["id"], decode(whole["token"], realm["jwt_key"])&.fetch("uid")], [user["id"], user["id"]]
  walk.bad "User.authenticate_code", "again", raises { code[name, half, totp(enrolled["otp_secret"], 1)] }, RecordNotFound
  walk.good "Credential#delete", "the authenticator", credentials.delete(enrolled["id"]), {}
end

# Api users, and credentials one by one.
robot = users.create({ user_type: "api", api_key: "generate" })
walk.good "User.create", "an api user", [robot["username"].empty?, robot["name"].empty?, robot["api_key"].class, robot["credentials"].map { |one| one["credential_type"] }], [false, false, String, ["api_key"]]
walk.good "User.find", "a key is shown once", users.find(robot["id"]).key?("api_key"), false
by_key = ->(secret, more = {}) { users.ask("authenticate_key", more.merge(api_key: secret)) }
walk.good "User.authenticate_key", "by key", by_key[robot["api_key"], { expand: "memberships" }].values_at("id", "token", "memberships"), [robot["id"], nil, []]
walk.bad "User.authenticate_key", "by another", raises { by_key["ak_nothing"] }, RecordNotFound
extra = credentials.create({ user_id: robot["id"], credential_type: "api_key", api_key: "generate" })
walk.good "Credential.create", "another key", [extra["object"], extra["user_id"], by_key[extra["api_key"]]["id"]], ["credential", robot["id"], robot["id"]]
walk.bad "Credential.create", "a password on nobody", raises { credentials.create({ user_id: missing["usr"], credential_type: "password", password: password }) }, RecordNotFound
walk.bad "Credential.create", "a type that is none", credentials.create({ user_id: user["id"], credential_type: "blood" })["errors"], Array
secret = user["credentials"].first["id"]
walk.good "Credential.find", "a password", credentials.find(secret).values_at("credential_type", "password"), ["password", nil]
walk.bad "Credential.find", "no such credential", raises { credentials.find(missing["crd"]) }, RecordNotFound
walk.good "Credential#update", "a password", [credentials.update(secret, { password: "#{password}2", password_confirmation: "#{password}2" })["id"], authenticate[name, "#{password}2"]["id"]], [secret, user["id"]]
walk.bad "Credential#update", "a short one", credentials.update(secret, { password: "short" })["errors"], Array
walk.good "Credential#delete", "a key", [credentials.delete(extra["id"]), raises { by_key[extra["api_key"]] }], [{}, RecordNotFound]
walk.bad "Credential#delete", "again", raises { credentials.delete(extra["id"]) }, RecordNotFound

# Orgs and memberships.
orgs = Resource.new(c, "orgs", :org)
memberships = Resource.new(c, "memberships", :membership)
org = orgs.create({ name: "Acme", reference: "A1", custom: { "tier" => 1 } })
walk.good "Org.create", "an org", org.values_at("object", "name", "state", "reference"), %w[org Acme active A1]
walk.bad "Org.create", "without a name", orgs.create({ name: "" })["errors"], Array
walk.good "Org.find", "by id", orgs.find(org["id"])["custom"], { "tier" => 1 }
walk.bad "Org.find", "no such org", raises { orgs.find(missing["org"]) }, RecordNotFound
walk.good "Org.all", "by reference", ids[orgs.all({ reference: "A1", expand: "custom" })], [org["id"]]
walk.bad "Org.all", "a sort that is none", orgs.all({ sort: "age" })["errors"], Array
walk.good "Org#update", "a name", orgs.update(org["id"], { name: "Acme 2" })["name"], "Acme 2"
walk.good "Org#update", "what was read, sent back", orgs.update(org["id"], orgs.find(org["id"])).values_at("id", "name", "custom"), [org["id"], "Acme 2", { "tier" => 1 }]
walk.bad "Org#update", "a blank name", orgs.update(org["id"], { name: "" })["errors"], Array
joined = memberships.create({ org_id: org["id"], user_id: user["id"], permissions: %w[read write] })
walk.good "Membership.create", "in an org", joined.values_at("object", "org_id", "user_id", "permissions", "expires_at"), ["membership", org["id"], user["id"], %w[read write], nil]
walk.bad "Membership.create", "twice", old ? raises { memberships.create({ org_id: org["id"], user_id: user["id"] }) } || Array : memberships.create({ org_id: org["id"], user_id: user["id"] })["errors"].class, Array
walk.good "Membership.find", "by id", memberships.find(joined["id"])["permissions"], %w[read write]
walk.bad "Membership.find", "no such membership", raises { memberships.find(missing["mb"]) }, RecordNotFound
walk.good "Membership#update", "permissions", memberships.update(joined["id"], { permissions: "boss" })["permissions"], ["boss"]
walk.good "Membership#update", "what was read, sent back", memberships.update(joined["id"], memberships.find(joined["id"]))["permissions"], ["boss"]
walk.bad "Membership#update", "a permission that is none", memberships.update(joined["id"], { permissions: "no spaces" })["errors"], Array
walk.good "Membership.all", "of an org", memberships.all({ org_id: org["id"] }).map { |one| one["user"].values_at("id", "object") }, [[user["id"], "user"]]
walk.bad "Membership.all", "of a blank org", memberships.all({ org_id: "" })["errors"], Array
walk.good "User#memberships", "with their orgs", memberships.all({ user_id: user["id"] }).map { |one| one["org"].values_at("name", "object") }, [["Acme 2", "org"]]
walk.good "User#orgs", "from the memberships", memberships.all({ user_id: user["id"] }).map { |one| one["org"]["id"] }, [org["id"]]
walk.bad "User#orgs", "of nobody", raises { memberships.all({ user_id: missing["usr"] }) }, RecordNotFound
walk.good "Org#users", "from the memberships", memberships.all({ org_id: org["id"] }).map { |one| one["user"]["username"] }, [user["username"]]
walk.bad "Org#users", "of no org", raises { memberships.all({ org_id: missing["org"] }) }, RecordNotFound
walk.good "Org#events", "from the last on", kinds_of[{ org_id: org["id"] }].uniq, %w[membership.updated membership.created org.updated org.created]
walk.bad "Org#events", "of no org", events.all({ org_id: missing["org"] }), []
walk.good "Membership#events", "from the last on", kinds_of[{ membership_id: joined["id"] }].uniq, %w[membership.updated membership.created]
walk.bad "Membership#events", "of none", events.all({ membership_id: missing["mb"] }), []
walk.bad "User#memberships", "of nobody", raises { memberships.all({ user_id: missing["usr"] }) }, RecordNotFound
walk.good "Org#memberships", "with both", ids[memberships.all({ org_id: org["id"], user_id: user["id"] })], [joined["id"]]
walk.bad "Org#memberships", "of no org", raises { memberships.all({ org_id: missing["org"] }) }, RecordNotFound
walk.good "User.find", "memberships", users.find(name, { expand: ["memberships"] })["memberships"].map { |one| [one["object"], one["org"]["name"]] }, [["membership", "Acme 2"]]
walk.good "User#update", "what was read with its memberships, sent back", users.update(user["id"], users.find(name, { expand: ["memberships"] }))["membership_count"], 1
eve = users.create(person[username: "eve", email: "eve@example.com", org: { name: "N" }, permissions: "boss"])
walk.good "User.create", "with an org", [eve["membership_count"], memberships.all({ user_id: eve["id"] }).map { |one| [one["permissions"], one["org"]["name"]] }], [1, [[["boss"], "N"]]]
gus = users.create(person[username: "gus", email: "gus@example.com", org_ids: [org["id"]], permissions: %w[p1]])
walk.good "User.create", "into an org", memberships.all({ user_id: gus["id"] }).map { |one| [one["org_id"], one["permissions"]] }, [[org["id"], ["p1"]]]
nested = c.post("users", { user: person[username: "hal", email: "hal@example.com"], org_ids: org["id"], permissions: ["out"] })
walk.good "User.create", "nested by hand", memberships.all({ user_id: nested["id"] }).map { |one| one["permissions"] }, [["out"]]
walk.bad "User.create", "into no org", raises { users.create(person[username: "ian", email: "ian@example.com", org_ids: missing["org"]])["errors"].fetch(0) }.then { |e| [nil, RecordNotFound].include?(e) }, true
people = ids[users.all({ sort: "id" })]
walk.good "User.all", "the first page", [ids[users.all({ sort: "id", max_results: 1 })], c.more], [people.first(1), true]
walk.good "User.all", "the last page", [ids[users.all({ sort: "id", max_results: 9, after: people.first })], c.more], [people.drop(1), false]
walk.good "Membership#delete", "left", [memberships.delete(joined["id"]), users.find(user["id"])["membership_count"]], [{}, 0]
walk.bad "Membership#delete", "again", raises { memberships.delete(joined["id"]) }, RecordNotFound
walk.good "Org#delete", "gone", [orgs.delete(org["id"]), raises { orgs.find(org["id"]) }], [{}, RecordNotFound]
walk.bad "Org#delete", "again", raises { orgs.delete(org["id"]) }, RecordNotFound

# Signups that wait.
parked = Resource.new(c, "user_tokens", :user_token)
waiting = parked.create({ username: "kim", email: "kim@example.com", first_name: "Kim", password: password, password_confirmation: password })
walk.good "UserToken.create", "a signup", waiting.values_at("object", "username", "email"), %w[user_token kim kim@example.com]
walk.bad "UserToken.create", "without a username", parked.create({ email: "kim@example.com", password: password })["errors"], Array
walk.good "UserToken.find", "by token", parked.find(waiting["id"])["first_name"], "Kim"
walk.bad "UserToken.find", "no such token", raises { parked.find("utk_nothing") }, RecordNotFound
walk.good "User.create", "from a signup", [users.create({ token: waiting["id"] })["username"], authenticate["kim", password]["username"]], %w[kim kim]
walk.bad "User.create", "from it again", raises { users.create({ token: waiting["id"] })["errors"].fetch(0) }.then { |e| [nil, RecordNotFound].include?(e) }, true

# Events.
kinds = events.all({ user_id: user["id"], event_type: "user" }).map { |one| one["event_type"] }
%w[user.created user.updated user.login.succeeded user.login.failed user.password_token.created user.password_token.consumed user.password_token.failed].
  concat(old ? [] : %w[user.email.verification_requested user.email.verified user.login.initiated]).
  each { |kind| walk.good "User#events", "kinds", kinds.include?(kind) ? kind : kinds, kind }
walk.good "Event.all", "the newest first", kinds.last, "user.created"
walk.good "Event.all", "by several kinds", events.all({ user_id: user["id"], event_type: %w[user.created user.login] }).last["event_type"], "user.created"
walk.bad "Event.all", "a time that is none", events.all({ created_at_after: "yesterday" })["errors"], Array
walk.bad "User#events", "of nobody", events.all({ user_id: missing["usr"] }), []
one = events.first({ user_id: user["id"], event_type: "user.created" })
walk.good "Event.find", "by id", events.find(one["id"]).values_at("object", "event_type", "user_id", "notifications"), ["event", "user.created", user["id"], []]
walk.good "Event#notifications", "of one from a list, which is asked for anew", events.find(events.first["id"])["notifications"].class, Array
walk.bad "Event#notifications", "of no event", raises { events.find(missing["ev"])["notifications"] }, RecordNotFound
walk.bad "Event.find", "no such event", raises { events.find(missing["ev"]) }, RecordNotFound

# How a realm is set up.
hooks = Resource.new(c, "app_hooks", :app_hook)
hook = hooks.create({ hook_type: "webhook", event_type: ["user.created"], destination: "https://hooks.example.com/in", realm_id: realm["id"] })
walk.good "AppHook.create", "a webhook", hook.values_at("object", "hook_type", "event_type", "destination", "delay"), ["app_hook", "webhook", ["user.created"], "https://hooks.example.com/in", 0]
letter = hooks.create({ hook_type: "email", event_type: "user.password_token.created", email_from: "a@example.com", email_from_name: "A", email_subject: "Reset", email_template: "Hello", email_renderer: "html", user_type: "human" })
walk.good "AppHook.create", "an e-mail", letter.values_at("hook_type", "event_type", "email_from", "email_from_name", "email_to", "email_subject", "email_template", "email_renderer", "user_type"),
          ["email", ["user.password_token.created"], "a@example.com", "A", "", "Reset", "Hello", "html", "human"]
walk.bad "AppHook.create", "a token for somebody else", hooks.create({ hook_type: "email", event_type: "user.password_token.created", email_from: "a@example.com", email_to: "b@example.com" })["errors"], Array
walk.bad "AppHook.create", "to nowhere", hooks.create({ hook_type: "webhook", event_type: ["user.created"] })["errors"], Array
walk.good "AppHook.find", "by id", hooks.find(hook["id"])["id"], hook["id"]
walk.bad "AppHook.find", "no such hook", raises { hooks.find(missing["hk"]) }, RecordNotFound
walk.good "AppHook.all", "what a realm comes with", hooks.all.map { |one| [one["hook_type"], one["event_type"], one["state"]] } & [["email", ["user.password_token.created"], "active"]], [["email", ["user.password_token.created"], "active"]]
walk.good "AppHook.all", "both", ids[hooks.all] & [hook["id"], letter["id"]], [hook["id"], letter["id"]]
walk.bad "AppHook.all", "a bad limit", hooks.all({ max_results: 0 })["errors"], Array
walk.good "AppHook#update", "sleeps", hooks.update(hook["id"], { state: "inactive" })["state"], "inactive"
walk.good "AppHook#update", "what was read, sent back", hooks.update(hook["id"], hooks.find(hook["id"]))["state"], "inactive"
walk.bad "AppHook#update", "a state that is none", hooks.update(hook["id"], { state: "tired" })["errors"], Array
walk.good "AppHook#events", "from the last on", kinds_of[{ app_hook_id: hook["id"] }].uniq, %w[app_hook.updated app_hook.created]
walk.bad "AppHook#events", "of no hook", events.all({ app_hook_id: missing["hk"] }), []
walk.good "AppHook#delete", "gone", [hooks.delete(hook["id"]), raises { hooks.find(hook["id"]) }], [{}, RecordNotFound]
walk.bad "AppHook#delete", "again", raises { hooks.delete(hook["id"]) }, RecordNotFound

providers = Resource.new(c, "auth_providers", :auth_provider)
ruling = providers.first({ realm_id: realm["id"] })
walk.good "AuthProvider.all", "passwords", ruling.values_at("object", "provider_type", "min_length"), ["auth_provider", "password", 8]
walk.bad "AuthProvider.all", "of no realm", raises { Resource.new(admin, "auth_providers", :auth_provider).all({ realm_id: missing["rl"] }) }, RecordNotFound
walk.good "AuthProvider.find", "by id", providers.find(ruling["id"])["id"], ruling["id"]
walk.bad "AuthProvider.find", "no such provider", raises { providers.find(missing["ap"]) }, RecordNotFound
walk.good "AuthProvider#update", "a length", providers.update(ruling["id"], { min_length: 12 })["min_length"], 12
walk.good "AuthProvider#update", "what was read, sent back", providers.update(ruling["id"], providers.find(ruling["id"]))["min_length"], 12
walk.bad "AuthProvider#update", "a length that is none", providers.update(ruling["id"], { min_length: -1 })["errors"], Array
codes = providers.create({ provider_type: "totp" })
walk.good "AuthProvider.create", "codes", codes["provider_type"], "totp"
walk.bad "AuthProvider.create", "a type that is none", providers.create({ provider_type: "astrology" })["errors"], Array
walk.good "AuthProvider#delete", "codes", providers.delete(codes["id"]), {}
walk.bad "AuthProvider#delete", "again", raises { providers.delete(codes["id"]) }, RecordNotFound
walk.good "AuthProvider.authorize_urls", "none, where nobody signs in through others", c.get("auth_providers/authorize", { redirect_uri: "https://app.example.com/" }), []
walk.bad "AuthProvider.authorize_urls", "a bad key", raises { Client.new(version, url, "ko_nothing", realm["id"]).get("auth_providers/authorize") }, AccessDenied
walk.good "AuthProvider.authorize_url", "of what has none", raises { c.get("auth_providers/#{ruling["id"]}/authorize", { redirect_uri: "https://app.example.com/" }) }, RecordNotFound
walk.bad "AuthProvider.authorize_url", "no such provider", raises { c.get("auth_providers/#{missing["ap"]}/authorize") }, RecordNotFound
unless old
  elsewhere = ->(id) { c.post("auth_providers/#{id}/authorize", { access_token: "x", request: { ip: "10.0.0.1" } }) }
  walk.good "AuthProvider#authorize_token", "an object that is not valid", elsewhere[ruling["id"]]["errors"], ["Signing in through others is not supported"]
  walk.bad "AuthProvider#authorize_token", "no such provider", elsewhere[missing["ap"]]["errors"], Array
end
walk.bad "AuthProvider.authorize", "a code from nobody", c.post("auth_providers/authorize", { code: "x", state: "y" })["errors"], Array
walk.good "AuthProvider.authorize", "an object that is not valid", c.last.code, "422"

# What a realm may ask of passwords, and do with API keys, beyond its defaults.
providers.update(ruling["id"], { min_length: 8, min_complexity: 3 })
walk.bad "User.create", "a password below the level", users.create(person[username: "lou", email: "lou@example.com", password: "abkdwzqj", password_confirmation: "abkdwzqj"])["errors"], Array
walk.bad "AuthProvider#update", "a level that is none", providers.update(ruling["id"], { min_complexity: 5 })["errors"], Array
walk.good "AuthProvider#update", "no level", providers.update(ruling["id"], { min_complexity: 0 })["min_complexity"], 0
walk.good "Realm#update", "keys are kept", realms.update(realm["id"], { api_key_policy: "encrypt", api_key_minutes: 5 }).values_at("api_key_policy", "api_key_minutes"), ["encrypt", 5]
kept = users.create({ user_type: "api", api_key: "generate" })
walk.good "User.find", "a kept key", users.find(kept["id"])["api_key"], kept["api_key"]
token = by_key[kept["api_key"]]["token"]
walk.good "User.authenticate_key", "its token", decode(token, realm["jwt_key"])&.values_at("uid", "un", "n"), kept.values_at("id", "username", "name")
walk.bad "Session.find", "the token of a key", raises { sessions.find(token) }, RecordNotFound
walk.bad "Realm#update", "sessions of no known kind", realms.update(realm["id"], { session_type: "none" })["errors"], Array
walk.good "Realm#update", "sessions are called unmanaged", realms.update(realm["id"], { session_type: "unmanaged" })["session_type"], "unmanaged"

policies = Resource.new(c, "login_policies", :login_policy)
policy = policies.create({ name: "Main", header: "Hello", login_handler: "https://app.example.com/in" })
walk.good "LoginPolicy.create", "a policy", policy.values_at("object", "name", "header", "login_handler", "signup_handler", "domains"), ["login_policy", "Main", "Hello", "https://app.example.com/in", nil, []]
walk.bad "LoginPolicy.create", "without a name", policies.create({ header: "Hello" })["errors"], Array
walk.good "LoginPolicy.find", "by id", policies.find(policy["id"])["name"], "Main"
walk.bad "LoginPolicy.find", "no such policy", raises { policies.find(missing["lpl"]) }, RecordNotFound
walk.good "LoginPolicy.all", "one", ids[policies.all], [policy["id"]]
walk.bad "LoginPolicy.all", "a bad key", raises { Resource.new(Client.new(version, url, "ko_nothing", realm["id"]), "login_policies", :login_policy).all }, AccessDenied
walk.good "LoginPolicy#update", "a footer", policies.update(policy["id"], { footer: "Bye" }).values_at("header", "footer"), %w[Hello Bye]
walk.bad "LoginPolicy#update", "no name", policies.update(policy["id"], { name: "" })["errors"], Array
walk.good "LoginPolicy#events", "from the last on", kinds_of[{ login_policy_id: policy["id"] }], %w[login_policy.updated login_policy.created]
walk.bad "LoginPolicy#events", "of none", events.all({ login_policy_id: missing["lpl"] }), []

# What a realm has, asked for by a client that names none.
{ "orgs" => ids[orgs.all], "app_hooks" => ids[hooks.all], "auth_providers" => ids[providers.all], "login_policies" => ids[policies.all], "events" => ids[events.all] }.each do |kind, want|
  of = ->(id) { Resource.new(admin, kind, nil).all({ realm_id: id }) }
  walk.good "Realm##{kind}", "by a client that names no realm", [want.empty?, ids[of[realm["id"]]]], [false, want]
  walk.bad "Realm##{kind}", "of a realm that is none", raises { of[missing["rl"]] }, RecordNotFound
end
walk.good "LoginPolicy#delete", "gone", policies.delete(policy["id"]), {}
walk.bad "LoginPolicy#delete", "again", raises { policies.delete(policy["id"]) }, RecordNotFound

# RS256: clients go by the length of what they are configured with.
unless old
  pair = realms.create({ name: "Ruby RSA #{Process.pid}", jwt_algo: "RS256" })
  r = Client.new(version, url, key, pair["id"])
  jwt_keys = Resource.new(r, "jwt_keys", :jwt_key)
  held = Resource.new(r, "users", :user).create(person[username: "rita", email: "rita@example.com"])
  token = r.post("users/rita/authenticate", { password: password })["token"]
  walk.good "Session.from_token", "RS256", [pair["jwt_key"].length > 256, decode(token, pair["jwt_key"])&.fetch("uid")], [true, held["id"]]
  walk.bad "Session.from_token", "HS256, where the PEM is configured", decode(signed["token"], pair["jwt_key"]), nil
  walk.bad "Session.from_token", "RS256 of another realm", decode(token, OpenSSL::PKey::RSA.new(2048).public_key.to_pem), nil
  walk.good "JwtKey.all", "one", jwt_keys.all.map { |one| one.values_at("object", "algo", "use", "expired") }, [["jwt_key", "RS256", "sign", false]]
  walk.bad "JwtKey.all", "a bad key", raises { Resource.new(Client.new(version, url, "ko_nothing", pair["id"]), "jwt_keys", :jwt_key).all }, AccessDenied
  before = jwt_keys.first
  walk.good "JwtKey.find", "by id", jwt_keys.find(before["id"])["key"], pair["jwt_key"]
  walk.bad "JwtKey.find", "no such key", raises { jwt_keys.find(missing["jky"]) }, RecordNotFound
  walk.good "JwtKey.create", "a rotation", jwt_keys.create({ algo: "RS256", use: "sign" })["algo"], "RS256"
  walk.bad "JwtKey.create", "another algorithm", jwt_keys.create({ algo: "none" })["errors"], Array
  walk.good "JwtKey#delete", "the former", jwt_keys.delete(before["id"]), {}
  walk.bad "JwtKey#delete", "again", raises { jwt_keys.delete(before["id"]) }, RecordNotFound
  realms.delete(pair["id"])
end

# The end of a user, of patience, and of the realm.
walk.good "User#delete", "gone", [users.delete(user["id"]), raises { users.find(user["id"]) }], [{}, RecordNotFound]
walk.bad "User#delete", "again", raises { users.delete(name) }, RecordNotFound
walk.bad "User.find", "no such resource", raises { c.get("nothing") }, RecordNotFound
11.times { raises { authenticate["eve", "wrong"] } }
walk.bad "User.authenticate", "too many attempts", raises { authenticate["eve", password] }, RateLimited
walk.bad "User.authenticate", "until", c.last["X-Ratelimit-Reset"].to_i - Time.now.to_i, 1..600
walk.good "Realm#reset!", "emptied", realms.ask("#{realm["id"]}/reset", {}).values_at("id", "object"), [realm["id"], "realm"]
walk.bad "Realm#reset!", "no such realm", raises { realms.ask("#{missing["rl"]}/reset", {}) }, RecordNotFound
walk.good "Realm#delete", "gone", [realms.delete(realm["id"]), raises { realms.find(realm["id"]) }], [{}, RecordNotFound]
walk.bad "Realm#delete", "again", raises { realms.delete(realm["id"]) }, RecordNotFound

walk.finish
