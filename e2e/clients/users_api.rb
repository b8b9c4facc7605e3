# What a Ruby client of the Users API does, over Ruby's own net/http: it sends requests as the 2.x clients send them, and
# takes answers apart as they do. It is an imitation for tests, after the contract's description.
#
#   ruby users_api.rb URL MANAGEMENT_KEY REALM_ID
#
# Needs an empty realm. Prints one line for each check that fails, and the count; ends non-zero where one did.
require "cgi"
require "json"
require "net/http"
require "openssl"

class AuthenticationFailed < StandardError; end
class AccessDenied < StandardError; end
class RecordNotFound < StandardError; end
class RateLimited < StandardError; end
class Refused < StandardError; end

# Client is the layer below the resources: one connection that is kept, and a status that becomes an object or an error.
class Client
  def initialize(url, key, realm)
    @base = URI(url.end_with?("/") ? url : "#{url}/")
    @headers = { "User-Agent" => "AuthRocket/ruby v2.4.1 [nc 2.2.2]", "Accept" => "application/json", "Content-Type" => "application/json",
                 "X-Authrocket-Api-Key" => key }
    @headers["X-Authrocket-Realm"] = realm if realm
    @http = Net::HTTP.new(@base.host, @base.port, nil)
    @http.keep_alive_timeout = 30
    @http.start
  end

  attr_reader :last

  def get(path, query = nil) = call(Net::HTTP::Get, path, query, nil)
  def post(path, body) = call(Net::HTTP::Post, path, nil, JSON.generate(body))
  def put(path, body) = call(Net::HTTP::Put, path, nil, JSON.generate(body))
  def delete(path) = call(Net::HTTP::Delete, path, nil, "") # with Content-Length: 0

  def call(kind, path, query, body)
    target = @base.path + path
    target += "?#{spell(query)}" if query && !query.empty?
    request = kind.new(target, @headers)
    request.delete("Accept-Encoding")
    request.body = body
    @last = @http.request(request)
    answer
  end

  # spell writes a query as these clients do: brackets stay as they are.
  def spell(query)
    query.flat_map { |k, v| v.is_a?(Array) ? v.map { |one| "#{k}[]=#{CGI.escape(one.to_s)}" } : "#{k}=#{CGI.escape(v.to_s)}" }.join("&")
  end

  def answer
    case @last.code.to_i
    when 401 then raise AuthenticationFailed
    when 403 then raise AccessDenied
    when 404 then raise RecordNotFound
    when 429 then raise RateLimited
    when 204 then return {}
    when 200..202, 409, 422 then parse
    else raise Refused, @last.code
    end
  end

  # parse is what makes an answer an object: nested ones need their kind, and errors come as an object of arrays.
  def parse
    body = JSON.parse(@last.body)
    body["errors"] = body["errors"].values.flatten if body["errors"]
    return body unless body["collection"]
    raise "more_results is missing" unless [true, false].include?(body["more_results"])
    body["collection"].each { |one| raise "#{one} has no kind" unless one["object"] }
  end
end

$passed = $failed = 0

# check notes whether got is what is wanted: equal, or matching where want is a pattern or a class.
def check(what, got, want)
  if want === got || want == got
    $passed += 1
  else
    $failed += 1
    warn "ruby: #{what}: got #{got.inspect}, want #{want.inspect}"
  end
end

# raises is the name of the error that a block ends with.
def raises
  yield
  nil
rescue StandardError => e
  e.class
end

# decode reads a session token as these clients do: HS256, signature and expiry alone. A bad one is nil.
def decode(token, secret)
  head, payload, signature = token.split(".")
  return nil unless JSON.parse(head.unpack1("m*"))["alg"] == "HS256" && signature
  good = [OpenSSL::HMAC.digest("SHA256", secret, "#{head}.#{payload}")].pack("m0").tr("+/", "-_").delete("=")
  claims = JSON.parse(payload.tr("-_", "+/").unpack1("m*"))
  good == signature && claims["exp"] > Time.now.to_i ? claims : nil
end

url, key, _ = ARGV
password = "four words make it long"
admin = Client.new(url, key, nil)
realm = admin.post("realms", { realm: { name: "Ruby #{Process.pid}" } })
check "a new realm", [realm["object"], realm["jwt_algo"], realm["session_minutes"]], ["realm", "HS256", 360]
c = Client.new(url, key, realm["id"])

# A user, from the cradle on.
name = "Dave+Tag@example.com"
blank = c.post("users", { user: { user_type: "human" } })
check "errors of a user without anything", blank["errors"].first, "Username can't be blank"
user = c.post("users", { user: { user_type: "human", username: name, email: "Dave@Example.com", password: password, password_confirmation: password,
                                 first_name: "Dave", last_name: "Young", reference: "REF", custom: { "Great_scott" => [1, nil] } },
                         request: { ip: "10.0.0.1", client: "App" } })
check "status of create", c.last.code, "201"
check "fields of a user", user.keys.sort, %w[created_at credentials custom email email_verification first_name id last_login_at last_name membership_count
                                             name object realm_id reference state user_type username]
check "created_at", user["created_at"], Float
check "last_login_at", user["last_login_at"], nil
check "username and email in lower case", [user["username"], user["email"]], [name.downcase, "dave@example.com"]
check "credential", user["credentials"].map { |one| [one["id"][0, 4], one["credential_type"], one["object"]] }, [["crd_", "password", "credential"]]
check "a username twice", c.post("users", { user: { user_type: "human", username: name, email: "b@example.com", password: password } })["errors"], Array
escaped = CGI.escape(name)
[user["id"], escaped, CGI.escape(name.upcase)].each { |one| check "find #{one}", c.get("users/#{one}")["id"], user["id"] }
check "an object without an id", raises { c.get("users/-") }, RecordNotFound
check "expand", c.get("users/#{user["id"]}", { expand: ["memberships"] })["memberships"], []
list = c.get("users", { reference: "REF", expand: "custom" })
check "list with custom", list.map { |one| [one["id"], one["custom"]] }, [[user["id"], { "Great_scott" => [1, nil] }]]
check "fields of a list", c.get("users").first.keys.length, 14
check "update", c.put("users/#{escaped}", { user: { first_name: "Ann", last_name: "Smith", custom: {} } }).values_at("name", "custom"), ["Ann Smith", {}]
check "update with what was read", c.put("users/#{user["id"]}", { user: c.get("users/#{user["id"]}") })["id"], user["id"]
refused = c.put("users/#{user["id"]}", { user: { username: "" } })
check "update that is refused", refused["errors"], ["Username can't be blank"]

# Signing in.
signed = c.post("users/#{escaped}/authenticate", { password: password, request: { ip: "10.0.0.2", client: "Browser" } })
claims = decode(signed["token"], realm["jwt_key"])
check "claims", claims&.values_at("uid", "un", "fn", "ln", "n", "aud"), [user["id"], name.downcase, "Ann", "Smith", "Ann Smith", realm["id"]]
check "tk, iat, exp", claims && [claims["tk"][0, 4], claims["iat"].class, claims["exp"] - claims["iat"]], ["kss_", Integer, 360 * 60]
check "another secret", decode(signed["token"], "jsk_other"), nil
session = c.get("sessions/#{signed["token"]}")
check "session by token", [session["id"], session["user"]["id"], session["request"]["ip"], session["expires_at"]], [claims["tk"], user["id"], "10.0.0.2", claims["exp"]]
check "sessions", c.get("sessions", { user_id: user["id"] }).map { |one| one["id"] }, [claims["tk"]]
check "a wrong password", raises { c.post("users/#{escaped}/authenticate", { password: "wrong" }) }, AuthenticationFailed
check "nobody", raises { c.post("users/nobody/authenticate", { password: "wrong" }) }, RecordNotFound
made = c.post("sessions", { session: { user_id: user["id"] }, request: { ip: "10.0.0.3" } })
check "session made", [c.last.code, made["object"], decode(made["token"], realm["jwt_key"])&.fetch("tk")], ["201", "session", made["id"]]
check "session ended", [c.delete("sessions/#{made["id"]}"), raises { c.get("sessions/#{made["id"]}") }], [{}, RecordNotFound]

# Passwords.
change = ->(current, confirmation) { c.put("users/#{escaped}/update_password", { user: { current_password: current, password: password + "1", password_confirmation: confirmation } }) }
check "confirmation", change.call(password, "x")["errors"], ["Password confirmation does not match"]
check "current password", change.call("wrong", password + "1")["errors"], ["Current password does not match"]
check "update_password", [change.call(password, password + "1"), c.last.code, c.last["Content-Type"]], [{}, "204", nil]
reset = c.post("users/#{escaped}/generate_password_token", {})
check "password token", [reset.keys.sort, reset["password_reset_token"]&.slice(0, 4)], [%w[id object password_reset_token realm_id token username], "kpw_"]
check "reset", c.post("users/--/reset_password_with_token", { user: { token: reset["password_reset_token"], password: password, password_confirmation: password } })["id"], user["id"]
check "reset again", raises { c.post("users/--/reset_password_with_token", { user: { token: reset["password_reset_token"], password: password } }) }, RecordNotFound

# E-mail.
mail = c.post("users/#{user["id"]}/request_email_verification", { request: { ip: "127.0.0.1" } })
check "email token", [mail.keys.sort, mail["token"]&.slice(0, 3)], [%w[email id object realm_id token username], "kv_"]
check "verification is requested", c.get("users/#{user["id"]}")["email_verification"], "requested"
verify = -> { c.post("users/#{user["id"]}/verify_email", { user: { token: mail["token"] }, request: { ip: "127.0.0.1" } }) }
check "verify", verify.call["email_verification"], "verified"
check "verify again", verify.call["errors"], ["Verification token already used"]

# Api users.
robot = c.post("users", { user: { user_type: "api", api_key: "generate" } })
check "an api user", [robot["username"].empty?, robot["name"].empty?, robot["api_key"].class, robot["credentials"].map { |one| one["credential_type"] }], [false, false, String, ["api_key"]]
check "its key is shown once", c.get("users/#{robot["id"]}").key?("api_key"), false
check "by key", c.post("users/authenticate_key", { expand: "memberships", api_key: robot["api_key"] }).values_at("id", "token"), [robot["id"], nil]
check "by another key", raises { c.post("users/authenticate_key", { api_key: "ak_nothing" }) }, RecordNotFound

# Orgs.
member = c.post("users", { user: { user_type: "human", username: "eve", email: "eve@example.com", password: password, org: { name: "N" }, permissions: "boss" } })
memberships = c.get("memberships", { user_id: member["id"] })
check "membership", memberships.map { |one| [one["permissions"], one["org"]["name"], one["org"]["object"], one["expires_at"]] }, [[["boss"], "N", "org", nil]]
check "memberships of an org", c.get("memberships", { org_id: memberships[0]["org_id"] }).map { |one| one["user"]["object"] }, ["user"]
check "membership_count", member["membership_count"], 1

# Events, and who may not.
kinds = c.get("events", { user_id: user["id"], event_type: "user" }).map { |one| one["event_type"] }
%w[user.created user.updated user.login.succeeded user.login.failed user.password_token.created user.password_token.consumed user.password_token.failed
   user.email.verification_requested user.email.verified].each { |kind| check "events", kinds.include?(kind) ? kind : kinds, kind }
check "the newest event first", kinds.last, "user.created"
check "delete", [c.delete("users/#{user["id"]}"), raises { c.delete("users/#{escaped}") }], [{}, RecordNotFound]
check "a bad key", raises { Client.new(url, "ko_nothing", realm["id"]).get("users") }, AccessDenied
check "no such resource", raises { c.get("nothing") }, RecordNotFound
11.times { raises { c.post("users/eve/authenticate", { password: "wrong" }) } }
check "too many attempts", raises { c.post("users/eve/authenticate", { password: password }) }, RateLimited
check "until", c.last["X-Ratelimit-Reset"].to_i - Time.now.to_i, 1..600
check "realm deleted", admin.delete("realms/#{realm["id"]}"), {}

puts "ruby: #{$passed} passed, #{$failed} failed"
exit $failed.zero?
