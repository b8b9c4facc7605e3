# What Ruby clients of the Users API send and how they take answers apart, over Ruby's own net/http, after the contract's
# description of them: two versions that differ in where the request attributes go and in what they have a method for.
require "cgi"
require "json"
require "net/http"
require "openssl"

class AuthenticationFailed < StandardError; end
class AccessDenied < StandardError; end
class RecordNotFound < StandardError; end
class RateLimited < StandardError; end
class Refused < StandardError; end

# Kinds are the kinds of objects that these clients know: for each field what it is, one of several. A field with a "?" may be missing; what
# is not listed is no concern of theirs.
module Kinds
  ALL = JSON.parse(File.read(File.join(__dir__, "kinds.json")))

  # check raises where an object anywhere in an answer is of no known kind, or not as its kind is.
  def self.check(value)
    case value
    when Array then value.each { |one| check(one) }
    when Hash
      compare(value) if value["object"].is_a?(String)
      value.each_value { |one| check(one) }
    end
  end

  def self.compare(object)
    kind = object["token"].to_s.match?(/\Ak(v|pw)_/) ? "user with a one-time token" : object["object"]
    ALL.fetch(kind).each do |field, wanted|
      next if !object.key?(field.delete("?")) && field.end_with?("?")
      value = object.fetch(field.delete("?"))
      raise "#{kind}: #{field} is #{value.inspect}, not #{wanted}" unless wanted.split("|").any? { |word| is?(value, word) }
    end
  end

  # is? says whether a value is what a word says: a type, the beginning of a text, or the text itself.
  def self.is?(value, word)
    case word
    when "null" then value.nil?
    when "string" then value.is_a?(String)
    when "number" then value.is_a?(Integer)
    when "time" then value.is_a?(Numeric) && value.between?(1_300_000_000, Time.now.to_i + 60)
    when "bool" then [true, false].include?(value)
    when "array" then value.is_a?(Array)
    when "object" then value.is_a?(Hash)
    when /[_:]\z|\Aey\z/ then value.is_a?(String) && value.start_with?(word) && value != word
    else value == word
    end
  end
end

# Client is the layer below the resources: one connection that is kept, and a status that becomes an object or an error.
class Client
  AGENTS = { "2.4.1" => "AuthRocket/ruby v2.4.1 [nc 2.2.2]", "1.5.0" => "AuthRocket/ruby v1.5.0 [nc 1.2.1]" }.freeze

  def initialize(version, url, key, realm)
    @version = version
    @base = URI(url.end_with?("/") ? url : "#{url}/")
    @headers = { "User-Agent" => AGENTS.fetch(version), "Accept" => "application/json", "Content-Type" => "application/json", "X-Authrocket-Api-Key" => key }
    @headers["X-Authrocket-Realm"] = realm if realm
    @http = Net::HTTP.new(@base.host, @base.port, nil)
    @http.keep_alive_timeout = 30
    @http.start
  end

  attr_reader :last, :more, :version

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

  # spell writes a query as these clients do: brackets stay as they are, and an object becomes Ruby's text of it.
  def spell(query)
    query.flat_map { |k, v| v.is_a?(Array) ? v.map { |one| "#{k}[]=#{CGI.escape(one.to_s)}" } : "#{k}=#{CGI.escape(v.to_s)}" }.join("&")
  end

  def answer
    case @last.code.to_i
    when 401 then raise AuthenticationFailed
    when 403 then raise AccessDenied
    when 404 then raise RecordNotFound
    when 429 then raise RateLimited
    when 409 then @version.start_with?("1.") ? raise(Refused, "409") : parse
    when 204 then {}
    when 200..202, 422 then parse
    else raise Refused, @last.code
    end
  end

  # parse is what makes an answer an object: nested ones need their kind, and errors come as an object of arrays.
  def parse
    raise "the body is no JSON by its type" unless @last["Content-Type"].to_s.start_with?("application/json")
    body = JSON.parse(@last.body)
    Kinds.check(body)
    if body["errors"]
      body["errors"] = body["errors"].values.flatten
      raise "errors without any" if body["errors"].empty?
      return body
    end
    raise "a success has a key that these clients take for their own" if body.key?("data") || body.key?("metadata")
    return body unless body["collection"]
    raise "more_results is missing" unless [true, false].include?(@more = body["more_results"])
    body["collection"].each { |one| raise "#{one} has no kind" unless one["object"] }
  end
end

# Resource is one kind of object, with the calls that most kinds have.
class Resource
  def initialize(client, path, root)
    @client, @path, @root = client, path, root
  end

  def all(query = {}) = @client.get(@path, query)
  def first(query = {}) = all(query.merge(max_results: 1)).first
  def find(id, query = {}) = @client.get("#{@path}/#{CGI.escape(id)}", query)
  def create(fields, request = nil) = @client.post(@path, rooted(fields, request))
  def update(id, fields, request = nil) = @client.put("#{@path}/#{CGI.escape(id)}", rooted(fields, request))
  def delete(id) = @client.delete("#{@path}/#{CGI.escape(id)}")

  # act is a call about one object that has a word of its own, and sends its object under the root.
  def act(id, word, fields, request = nil, method = :post) = @client.send(method, "#{@path}/#{CGI.escape(id)}/#{word}", beside({ @root => fields }, request))

  # ask is such a call that sends its members at the top.
  def ask(where, members, request = nil) = @client.post("#{@path}/#{where}", beside(members, request))

  # rooted puts the object under its name. Clients of 1.x can put the request attributes nowhere but inside.
  def rooted(fields, request)
    return { @root => request ? fields.merge(request: request) : fields } if @client.version.start_with?("1.")
    beside({ @root => fields }, request)
  end

  def beside(body, request) = request ? body.merge(request: request) : body
end

# Walk counts what was as it should be, and which methods were seen to do well and to refuse.
class Walk
  def initialize(name, methods)
    @name, @passed, @failed = name, 0, 0
    @unseen = { good: methods.dup, bad: methods.dup }
  end

  # good notes whether a method of the client, given what it should be given, got what is wanted.
  def good(method, what, got, want) = note(:good, method, what, got, want)

  # bad is the same for what should be refused, or found empty.
  def bad(method, what, got, want) = note(:bad, method, what, got, want)

  def note(side, method, what, got, want)
    @unseen[side].delete(method)
    return @passed += 1 if want === got || want == got
    fail("#{method}: #{what}: got #{got.inspect}, want #{want.inspect}")
  end

  def fail(what)
    @failed += 1
    warn "#{@name}: #{what}"
  end

  # finish says how it went. A method that was not tried both ways is a failure.
  def finish
    @unseen.each { |side, methods| fail("not tried with #{side} input: #{methods.join(", ")}") unless methods.empty? }
    puts "#{@name}: #{@passed} passed, #{@failed} failed"
    exit @failed.zero?
  end
end

# raises is the name of the error that a block ends with.
def raises
  yield
  nil
rescue StandardError => e
  e.class
end

# decode reads a session token as these clients do: by the length of the secret that they were given it is an HMAC secret or
# an RSA public key, and signature and expiry are all that is looked at. A bad token is nil.
def decode(token, secret, within: nil)
  head, payload, signature = token.split(".")
  plain = ->(part) { part.to_s.tr("-_", "+/").unpack1("m*") }
  wanted = secret.length > 256 ? "RS256" : "HS256"
  return nil unless JSON.parse(plain.call(head))["alg"] == wanted
  signed = "#{head}.#{payload}"
  good = if wanted == "RS256"
           OpenSSL::PKey::RSA.new(secret).verify(OpenSSL::Digest.new("SHA256"), plain.call(signature), signed)
         else
           OpenSSL::HMAC.digest("SHA256", secret, signed) == plain.call(signature)
         end
  claims = JSON.parse(plain.call(payload))
  return nil if !good || claims["exp"] <= Time.now.to_i || within && claims["iat"] < Time.now.to_i - within
  claims
rescue JSON::ParserError, OpenSSL::PKey::PKeyError
  nil
end

# totp is the code that an authenticator shows (RFC 6238), so many steps from now.
def totp(secret, steps = 0)
  bits = secret.upcase.delete("^A-Z2-7").chars.map { |c| format("%05b", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".index(c)) }.join
  key = [bits[0, bits.length / 8 * 8]].pack("B*")
  mac = OpenSSL::HMAC.digest("SHA1", key, [Time.now.to_i / 30 + steps].pack("Q>"))
  format("%06d", (mac[mac.getbyte(19) & 15, 4].unpack1("N") & 0x7fffffff) % 1_000_000)
end
